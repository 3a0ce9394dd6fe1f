/** The number pad: large keys for a thumb, and a field that takes a real keyboard too but never opens the small one. */
import { h, icon } from "./html.js";

const KEYS = ["7", "8", "9", "4", "5", "6", "1", "2", "3", ".", "0", "erase"];
const NUMBER = /^\d*(?:\.\d*)?$/;

/**
 * Make the field and its pad.
 *
 * @param {object} how `decimals` of the dial (0: no point), and `changed(text)`.
 * @returns {{element: HTMLElement, input: HTMLInputElement, set(text), dial(decimals)}}
 */
export function keypad({ decimals, changed }) {
  let places = decimals;
  const input = h("input", {
    id: "value",
    class: "value",
    type: "text",
    inputmode: "none",
    autocomplete: "off",
    "aria-describedby": "value-hint",
  });
  let text = "";
  const set = (wanted) => {
    const tidy = wanted.replace(",", ".").replace(/\s/g, "");
    if (NUMBER.test(tidy) && tidy.length <= 16 && (places > 0 || !tidy.includes("."))) text = tidy;
    input.value = text;
    changed(text);
  };
  const press = (key) => set(key === "erase" ? text.slice(0, -1) : text + key);
  input.addEventListener("input", () => set(input.value));
  const point = h("button", { class: "key", type: "button", "aria-label": "Decimal point" }, ".");
  const buttons = KEYS.map((key) => {
    if (key === "erase") return h(
      "button",
      { class: "key", type: "button", "aria-label": "Erase the last digit" },
      icon("erase"),
    );
    return key === "." ? point : h("button", { class: "key", type: "button" }, key);
  });
  buttons.forEach((button, index) => button.addEventListener("click", () => press(KEYS[index])));
  const dial = (count) => {
    places = count;
    point.disabled = count === 0;
    if (count === 0 && text.includes(".")) set(text.slice(0, text.indexOf(".")));
  };
  dial(decimals);
  const element = h("div", { class: "keypad", role: "group", "aria-label": "Number pad" }, buttons);
  return { element, input, set, dial };
}
