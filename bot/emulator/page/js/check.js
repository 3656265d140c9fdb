/** What Slack's own client refuses before a modal is sent: gaps and values of the wrong shape. */

const MAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** One sentence about what is wrong with a field's value, or null. */
export function complaint(block, value) {
  const content = contentOf(value);
  if (content === null) return block.optional ? null : "Please complete this required field.";
  const check = CHECKS[value.type];
  return check ? check(block.element, content) : null;
}

function contentOf(value) {
  const [, content] = Object.entries(value).find(([name]) => name !== "type");
  return content === null || content?.length === 0 ? null : content;
}

const CHECKS = {
  plain_text_input: (element, text) => {
    const least = element.min_length ?? 0;
    return text.length < least ? `Please write at least ${least} characters.` : null;
  },
  email_text_input: (_, text) => (MAIL.test(text) ? null : "Please enter a valid email address."),
  url_text_input: (_, text) => (isUrl(text) ? null : "Please enter a web address that starts with https://."),
  number_input: (element, text) => number(element, text),
};

function isUrl(text) {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

function number(element, text) {
  const whole = /^[+-]?\d+$/.test(text);
  if (!whole && !(element.is_decimal_allowed && /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text))) {
    return element.is_decimal_allowed ? "Please enter a number." : "Please enter a whole number.";
  }
  if (element.min_value !== undefined && Number(text) < Number(element.min_value))
    return `Please enter ${element.min_value} or more.`;
  if (element.max_value !== undefined && Number(text) > Number(element.max_value))
    return `Please enter ${element.max_value} or less.`;
  return null;
}
