/** The common emoji names, as Slack spells them; an unknown name stays as it was written. */

const TABLE = `
white_check_mark ✅ heavy_check_mark ✔️ ballot_box_with_check ☑️ x ❌ negative_squared_cross_mark ❎ no_entry ⛔
no_entry_sign 🚫 warning ⚠️ rotating_light 🚨 bell 🔔 no_bell 🔕 hourglass ⌛ hourglass_flowing_sand ⏳ alarm_clock ⏰
stopwatch ⏱️ clock1 🕐 clock4 🕓 clock9 🕘 calendar 📆 date 📅 spiral_calendar_pad 🗓️ pencil ✏️ pencil2 ✏️ memo 📝
page_facing_up 📄 clipboard 📋 pushpin 📌 round_pushpin 📍 paperclip 📎 link 🔗 lock 🔒 unlock 🔓 key 🔑 mag 🔍
inbox_tray 📥 outbox_tray 📤 incoming_envelope 📨 envelope ✉️ email 📧 speech_balloon 💬 thought_balloon 💭 loudspeaker 📢
mega 📣 information_source ℹ️ question ❓ exclamation ❗ bangbang ‼️ bulb 💡 zap ⚡ fire 🔥 boom 💥 tada 🎉 sparkles ✨
star ⭐ rocket 🚀 hammer 🔨 wrench 🔧 hammer_and_wrench 🛠️ gear ⚙️ robot_face 🤖 computer 💻 floppy_disk 💾 package 📦
chart_with_upwards_trend 📈 chart_with_downwards_trend 📉 bar_chart 📊 moneybag 💰 money_with_wings 💸 dollar 💵 euro 💶
credit_card 💳 receipt 🧾 bank 🏦 briefcase 💼 scales ⚖️ balance_scale ⚖️ shield 🛡️ skull 💀 ghost 👻 eyes 👀 wave 👋
+1 👍 thumbsup 👍 -1 👎 thumbsdown 👎 ok_hand 👌 clap 👏 raised_hands 🙌 raised_hand ✋ pray 🙏 handshake 🤝 muscle 💪
point_right 👉 point_left 👈 point_up 👆 point_down 👇 writing_hand ✍️ smile 😄 slightly_smiling_face 🙂 grin 😁 joy 😂
wink 😉 thinking_face 🤔 sweat_smile 😅 cry 😢 sob 😭 heart ❤️ green_heart 💚 yellow_heart 💛 red_circle 🔴
large_blue_circle 🔵 large_green_circle 🟢 large_yellow_circle 🟡 large_orange_circle 🟠 white_circle ⚪ black_circle ⚫
red_square 🟥 green_square 🟩 arrow_right ➡️ arrow_left ⬅️ arrow_up ⬆️ arrow_down ⬇️ arrows_counterclockwise 🔄 repeat 🔁
leftwards_arrow_with_hook ↩️ fast_forward ⏩ double_vertical_bar ⏸️ pause_button ⏸️ arrow_forward ▶️ black_square_for_stop ⏹️
heavy_plus_sign ➕ heavy_minus_sign ➖ bust_in_silhouette 👤 busts_in_silhouette 👥 palm_tree 🌴 sunny ☀️ coffee ☕ beer 🍺 ticket 🎫
`;

const words = TABLE.trim().split(/\s+/);
const EMOJI = new Map(words.flatMap((word, at) => (at % 2 ? [] : [[word, words[at + 1]]])));

/** The character of a name, or null. */
export function emoji(name) {
  return EMOJI.get(name) ?? null;
}

/** Text with its `:names:` replaced by characters. */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) ?? whole);
}
