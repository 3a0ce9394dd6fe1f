/** The page of a tariff's version: tables of hours are painted, and prices are tried on homes as they are typed. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const HOURS = 24;
const WAIT_MS = 500;

const form = document.querySelector("[data-tariff]");

/** Turns the text of a table into a grid that is painted with the mouse, or by keys: arrows move, a symbol paints. */
class Grid {
  constructor(box) {
    this.text = box.querySelector("textarea");
    this.place = box.querySelector("[data-grid]");
    this.component = box.closest("fieldset");
    this.isReadOnly = this.component.disabled;
    this.brush = null;
    this.draw();
    this.text.addEventListener("input", () => this.show());
    this.place.addEventListener("pointerdown", (event) => this.begin(event));
    this.place.addEventListener("pointerover", (event) => this.go(event));
    this.place.addEventListener("keydown", (event) => this.press(event));
    addEventListener("pointerup", () => { this.brush = null; });
  }

  rows() {
    const lines = this.text.value.trim().toUpperCase().split(/\s*\n\s*/);
    return MONTHS.map((_, month) => [...(lines[month] ?? "").padEnd(HOURS, "0").slice(0, HOURS)]);
  }

  draw() {
    const table = document.createElement("table");
    table.className = "tariff-grid";
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", this.text.closest("[data-table]").querySelector("h3").textContent);
    const head = table.createTHead().insertRow();
    const corner = document.createElement("th");
    corner.scope = "col";
    corner.setAttribute("aria-label", "Month");
    head.append(corner);
    for (let hour = 0; hour < HOURS; hour += 1) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = hour;
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [month, name] of MONTHS.entries()) {
      const row = body.insertRow();
      const label = document.createElement("th");
      label.scope = "row";
      label.textContent = name;
      row.append(label);
      for (let hour = 0; hour < HOURS; hour += 1) {
        const cell = row.insertCell();
        cell.setAttribute("role", "gridcell");
        Object.assign(cell.dataset, { month, hour });
        cell.tabIndex = month === 0 && hour === 0 ? 0 : -1;
      }
    }
    this.place.replaceChildren(table);
    this.cells = [...table.querySelectorAll("tbody td")];
    this.show();
  }

  show() {
    const rows = this.rows();
    for (const cell of this.cells) {
      const symbol = rows[cell.dataset.month][cell.dataset.hour];
      cell.textContent = symbol;
      cell.dataset.period = SYMBOLS.indexOf(symbol);
    }
  }

  periods() {
    return this.component.querySelectorAll(".tariff-swatch").length;
  }

  paint(cell, symbol) {
    if (this.isReadOnly) return;
    const rows = this.rows();
    rows[cell.dataset.month][cell.dataset.hour] = symbol;
    this.text.value = rows.map((row) => row.join("")).join("\n");
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  begin(event) {
    const cell = event.target.closest("tbody td");
    if (cell === null) return;
    event.preventDefault();
    this.focus(cell);
    const chosen = this.component.querySelector(".tariff-swatch[aria-pressed=true]");
    const next = (SYMBOLS.indexOf(cell.textContent) + 1) % this.periods();
    this.brush = chosen?.textContent ?? SYMBOLS[next];
    this.paint(cell, this.brush);
  }

  go(event) {
    const cell = event.target.closest("tbody td");
    if (cell !== null && this.brush !== null && event.buttons === 1) this.paint(cell, this.brush);
  }

  press(event) {
    const cell = event.target.closest("tbody td");
    if (cell === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -HOURS, ArrowDown: HOURS };
    const at = this.cells.indexOf(cell);
    const symbol = event.key.toUpperCase();
    if (event.key in steps) {
      const to = this.cells[at + steps[event.key]];
      if (to !== undefined) this.focus(to);
    } else if (symbol.length === 1 && SYMBOLS.slice(0, this.periods()).includes(symbol)) {
      this.paint(cell, symbol);
      this.focus(this.cells[at + 1] ?? cell);
    } else {
      return;
    }
    event.preventDefault();
  }

  focus(cell) {
    for (const other of this.cells) other.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }
}

/** Makes the symbols beside the periods a palette: the one that is pressed is what the mouse paints. */
function palette(component) {
  const swatches = [...component.querySelectorAll(".tariff-swatch")];
  if (swatches.length < 2 || component.disabled) return;
  for (const swatch of swatches) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = swatch.className;
    button.dataset.period = swatch.dataset.period;
    button.textContent = swatch.textContent;
    button.setAttribute("aria-pressed", "false");
    button.title = "Paint with this period";
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      for (const other of component.querySelectorAll("button.tariff-swatch")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(on));
    });
    swatch.replaceWith(button);
  }
}

let waiting = null;
let asked = 0;

async function tryOut() {
  asked += 1;
  const mine = asked;
  const place = form.querySelector("[data-trials]");
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form) });
    if (answer.ok && mine === asked) place.innerHTML = await answer.text();
  } finally {
    if (mine === asked) place.removeAttribute("aria-busy");
  }
}

if (form !== null) {
  for (const component of form.querySelectorAll("fieldset")) palette(component);
  for (const box of form.querySelectorAll("[data-table]")) new Grid(box);
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(tryOut, WAIT_MS);
  });
}
