// The emoji that apps like this use. Others stay as their :name:.
const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", ballot_box_with_check: "☑️", x: "❌", negative_squared_cross_mark: "❎",
  warning: "⚠️", no_entry: "⛔", no_entry_sign: "🚫", rotating_light: "🚨", exclamation: "❗", question: "❓",
  information_source: "ℹ️", bulb: "💡", lock: "🔒", unlock: "🔓", key: "🔑", closed_lock_with_key: "🔐", shield: "🛡️",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", clock1: "🕐", alarm_clock: "⏰", stopwatch: "⏱️", calendar: "📅", date: "📅",
  eyes: "👀", wave: "👋", thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", tada: "🎉", pray: "🙏", ok_hand: "👌",
  robot_face: "🤖", gear: "⚙️", wrench: "🔧", hammer_and_wrench: "🛠️", rocket: "🚀", fire: "🔥", sos: "🆘", bell: "🔔",
  no_bell: "🔕", mag: "🔍", memo: "📝", clipboard: "📋", page_facing_up: "📄", scroll: "📜", file_folder: "📁", link: "🔗",
  globe_with_meridians: "🌐", computer: "💻", satellite_antenna: "📡", house: "🏠", office: "🏢", bust_in_silhouette: "👤",
  busts_in_silhouette: "👥", speech_balloon: "💬", email: "✉️", arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️",
  arrow_down: "⬇️", arrows_counterclockwise: "🔄", repeat: "🔁", rewind: "⏪", leftwards_arrow_with_hook: "↩️", heavy_plus_sign: "➕",
  heavy_minus_sign: "➖", large_green_circle: "🟢", large_yellow_circle: "🟡", large_orange_circle: "🟠", red_circle: "🔴",
  white_circle: "⚪", large_blue_circle: "🔵", black_circle: "⚫", large_green_square: "🟩", large_red_square: "🟥", star: "⭐",
  smile: "😄", slightly_smiling_face: "🙂", thinking_face: "🤔", neutral_face: "😐", disappointed: "😞", zzz: "💤", boom: "💥",
  construction: "🚧", package: "📦", wastebasket: "🗑️", pushpin: "📌", bookmark: "🔖", chart_with_upwards_trend: "📈", zap: "⚡",
};

export function emoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (all, name) => EMOJI[name] || all);
}
