/** What can be said of a reading before it is sent. Nothing here tells what the dial showed before. */
import { counted, isPlace } from "./words.js";

const POOR_M = 50;

const bare = (serial) => serial.replace(/[\s-]/g, "").toUpperCase();

/** Say whether two numbers of meters are the same, however they are spaced. */
export const sameSerial = (one, other) => bare(one) === bare(other);

/** Say whether a value is one that the dial may well show; without anything to judge by, it is. */
export function isPlausible(value, dial) {
  return dial.plausible.length === 0 || dial.plausible.some(([low, high]) => value >= low && value <= high);
}

/** Return what must be mended before it can be sent, as `[field, words]`. */
export function faults(draft, dial) {
  const found = [];
  if (draft.outcome === "could_not_read") {
    if (!draft.obstacle) found.push(["obstacle", "Say why it could not be read."]);
    return found;
  }
  if (!draft.serial.trim()) found.push(["serial", "Scan or type the number on the meter."]);
  const [whole, part = ""] = draft.value.split(".");
  if (!/\d/.test(draft.value)) found.push(["value", "Type what the display shows."]);
  else if (whole.replace(/^0+/, "").length > dial.digits) found.push(
    ["value", `This display has ${counted(dial.digits, "digit")} before the point.`],
  );
  else if (part.replace(/0+$/, "").length > dial.decimals) found.push(
    ["value", `This display has ${counted(dial.decimals, "digit")} after the point.`],
  );
  return found;
}

/** Return what the agent should look at once more; it can be sent all the same. */
export function concerns(draft, { dial, task, fix, photo }) {
  const found = [];
  if (draft.outcome === "read") {
    if (!isPlausible(Number(draft.value), dial)) found.push(
      "This value is unusual for this meter. Check every digit and where the point is.",
    );
    if (!sameSerial(draft.serial, task.serial)) found.push(
      `The number is not ${task.serial}. If this is another meter, choose “Could not read”, “Wrong meter”.`,
    );
  }
  if (photo === null) found.push(
    draft.outcome === "read" ? "There is no photo of the display." : "There is no photo of what is in the way.",
  );
  if (!isPlace(fix)) found.push("Your position is not known.");
  else if (fix.accuracy_m > POOR_M) found.push(`Your position is known to ${Math.round(fix.accuracy_m)} m only.`);
  return found;
}
