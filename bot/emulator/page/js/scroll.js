/** A list that stays at its end while it grows or is squeezed, unless the reader has scrolled up. */

const CLOSE = 60; // pixels from the end that still count as the end

export function keepAtEnd(scroll) {
  const kept = { atEnd: true };
  const settle = () => {
    if (kept.atEnd) scroll.scrollTop = scroll.scrollHeight;
  };
  scroll.addEventListener("scroll", () => {
    kept.atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < CLOSE;
  });
  const resized = new ResizeObserver(settle);
  resized.observe(scroll);
  return {
    /** What is in the list now is to be watched; a new list starts at its end. */
    watch(content) {
      kept.atEnd = true;
      resized.disconnect();
      resized.observe(scroll);
      resized.observe(content);
    },
    /** What came last is for the reader alone, or their own. */
    follow() {
      kept.atEnd = true;
      settle();
    },
    /** The reader was led somewhere else. */
    release() {
      kept.atEnd = false;
    },
  };
}
