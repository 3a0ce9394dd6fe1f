/** One battery as it is now: follows its websocket, and says how, how late, and whether it is a replay. */
import { drawHistory } from "./battery-charts.js";
import { follow } from "./live.js";

const SILENT_MS = 10_000;
const QUIET_MS = 30_000;
const LONGEST_WAIT_MS = 15_000;
const SEVERITIES = { critical: ["Critical", "bad"], warning: ["Warning", "warn"], info: ["Info", ""] };

const page = JSON.parse(document.getElementById("battery-page").textContent);
const root = document.getElementById("battery");
const one = (selector) => root.querySelector(selector);
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: page.zone });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: page.zone });
const append = drawHistory();

let told = {};
let mode = null;
let toldAt = null;
let heardAt = null;
// By how much the server's clock is ahead of this one; what takes its time on the way makes it seem less.
let ahead = page.now - Date.now();

function write(element, text) {
  if (element !== null && element.textContent !== text) element.textContent = text;
}

function written(value, digits) {
  if (value === undefined || value === null) return "–";
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function stand(state, words) {
  root.dataset.state = state;
  write(one("[data-say]"), words);
  one("[data-replay]").hidden = state !== "replay";
}

function powerKw() {
  if (typeof told.apparent_power === "number") return told.apparent_power;
  return typeof told.voltage === "number" && typeof told.current === "number" ? (told.voltage * told.current) / 1_000 : null;
}

function showPower() {
  const power = powerKw();
  write(one("[data-power]"), written(power === null ? null : Math.abs(power), 1));
  let direction = "";
  if (power !== null) direction = Math.abs(power) < page.restKw ? "at rest" : power > 0 ? "discharging" : "charging";
  one("[data-direction]").dataset.direction = direction;
  write(one("[data-direction-words]"), direction ? direction[0].toUpperCase() + direction.slice(1) : "Not told");
}

function showCharge() {
  const { soc } = told;
  const held = one("[data-held]");
  held.setAttribute("width", soc ?? 0);
  held.classList.toggle("outside", soc < page.windows.soc_low_percent || soc > page.windows.soc_high_percent);
  const energy = typeof soc === "number" && page.ratedKwh ? (page.ratedKwh * soc * (told.soh ?? 100)) / 10_000 : null;
  write(one("[data-held-kwh]"), written(energy, 0));
}

function showCells() {
  const { cell_min_voltage: low, cell_max_voltage: high, cell_avg_voltage: mean, cell_voltage_diff: apart } = told;
  write(one("[data-spread]"), written(typeof apart === "number" ? 1_000 * apart : null, 0));
  if (typeof low !== "number" || typeof high !== "number") return;
  const { cell_voltage_low_v: start, cell_voltage_high_v: end } = page.windows;
  const place = (volts) => Math.min(100, Math.max(0, (100 * (volts - start)) / (end - start)));
  const span = one("[data-cells] .span");
  span.setAttribute("x", place(low));
  span.setAttribute("width", Math.max(0.8, place(high) - place(low)));
  if (typeof mean === "number") one("[data-cells] .mean").setAttribute("d", `M${place(mean)} 3v14`);
}

function show() {
  for (const field of root.querySelectorAll("[data-field]")) {
    const value = told[field.dataset.field];
    const size = "size" in field.dataset && typeof value === "number" ? Math.abs(value) : value;
    write(field, written(size, Number(field.dataset.digits)));
  }
  showCharge();
  showPower();
  showCells();
}

function showLag() {
  const behind = mode === "live" && toldAt !== null ? Math.max(0, Date.now() + ahead - toldAt) / 1_000 : null;
  write(one("[data-lag]"), behind === null ? "" : `${written(behind, behind < 10 ? 1 : 0)} s behind`);
}

function hearReading(message) {
  if (message.mode !== mode) told = {};
  mode = message.mode;
  Object.assign(told, message.reading);
  toldAt = Date.parse(message.reading.timestamp);
  heardAt = performance.now();
  const when = exact.format(toldAt);
  write(one("[data-reading-of]"), `Reading of ${when}`);
  if (mode === "live") {
    stand("live", "Live");
    append(message.reading);
  } else {
    stand("replay", "Replaying its history");
    write(one("[data-replay-words]"), `This is what the battery told on ${when}; it is not what it does now.`);
  }
  showLag();
  show();
}

function alarmRow(alarm, list) {
  const row = document.getElementById("alarm-row").content.firstElementChild.cloneNode(true);
  const [severity, grade] = SEVERITIES[alarm.severity] ?? SEVERITIES.info;
  if (grade) row.classList.add(grade);
  row.querySelector("strong").textContent = alarm.state === "acknowledged" ? `${severity}, acknowledged` : severity;
  row.querySelector("[data-text]").textContent = alarm.text;
  row.querySelector("[data-since]").textContent = `Since ${exact.format(Date.parse(alarm.raised_at))}.`;
  const link = row.querySelector("a");
  if (list.dataset.desk && alarm.state === "raised") link.href = `${list.dataset.desk}${alarm.id}/change/`;
  else link.remove();
  return row;
}

function hearAlarms(message) {
  const list = document.querySelector("[data-alarm-list]");
  list.replaceChildren(...message.alarms.map((alarm) => alarmRow(alarm, list)));
  document.querySelector("[data-no-alarms]").hidden = message.open > 0;
}

function hear(message) {
  if (message.type === "bms" || message.type === "pcs") hearReading(message);
  else if (message.type === "alarms") hearAlarms(message);
  else if (message.type === "hello") Object.assign(page.windows, message.windows);
  else if (message.type === "heartbeat") ahead = Math.max(ahead, Date.parse(message.at) - Date.now());
  if (message.type === "hello" && root.dataset.state === "lost") stand("old", "Connected; waiting for its next reading");
}

function tick() {
  showLag();
  if (root.dataset.state !== "live" || performance.now() - heardAt < SILENT_MS) return;
  stand("silent", `Silent: nothing has come in since ${clock.format(toldAt)}`);
}

follow(`/ws/batteries/${encodeURIComponent(page.id)}/${page.mode ? `?mode=${page.mode}` : ""}`, {
  say: (words) => stand("lost", toldAt === null ? words : `${words} The values are those of ${exact.format(toldAt)}.`),
  lost: () => {
    mode = null;
  },
  hear,
  quietMs: QUIET_MS,
  longestWaitMs: LONGEST_WAIT_MS,
});
setInterval(tick, 1_000);
