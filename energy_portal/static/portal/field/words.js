/** Numbers, times and states as an agent reads them. */

const EARTH_M = 6_371_008.8;
const DAY_MS = 86_400_000;

export const PRIORITIES = { low: "Low", medium: "Medium", high: "High", critical: "Critical" };
export const OBSTACLES = {
  no_access: "No access",
  locked: "Locked",
  dog: "Dog",
  damaged: "Meter damaged",
  wrong_meter: "Wrong meter",
  tamper: "Tampered with",
};

const radians = (degrees) => (degrees * Math.PI) / 180;

/** Return metres between two places on a sphere (haversine): within half a per cent, enough to walk by. */
export function metresBetween(one, other) {
  const slope = Math.sin(radians(other.latitude - one.latitude) / 2) ** 2;
  const turn = Math.sin(radians(other.longitude - one.longitude) / 2) ** 2;
  const share = slope + Math.cos(radians(one.latitude)) * Math.cos(radians(other.latitude)) * turn;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(share)));
}

/** Say a distance as precisely as it helps: "35 m", "480 m", "1.2 km". */
export function distance(metres) {
  if (metres < 100) return `${Math.round(metres)} m`;
  if (metres < 950) return `${Math.round(metres / 10) * 10} m`;
  return `${(metres / 1000).toFixed(metres < 9_950 ? 1 : 0)} km`;
}

export function clock(instant) {
  return new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** Say on which day an instant lies, seen from today. */
export function day(instant) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const days = Math.round((new Date(instant).setHours(0, 0, 0, 0) - midnight) / DAY_MS);
  const near = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
  return near ?? new Date(instant).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" });
}

export const moment = (instant) => `${day(instant)}, ${clock(instant)}`;

export function isOverdue(task) {
  return task.status === "overdue" || (task.due_at !== null && new Date(task.due_at) < new Date());
}

/** Say when something is due, or since when it is overdue; by the clock only where that is near. */
export function due(task) {
  if (task.due_at === null) return "No due date";
  const isNear = Math.abs(new Date(task.due_at) - Date.now()) < DAY_MS;
  const when = isNear ? moment(task.due_at) : day(task.due_at);
  return isOverdue(task) ? `Overdue since ${when}` : `Due ${when}`;
}

export const isPlace = (place) => place?.latitude !== null && place?.latitude !== undefined;

/** Say how many of something: "1 reading", "3 readings". */
export const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
