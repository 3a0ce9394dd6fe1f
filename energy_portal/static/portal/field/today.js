/** Today's list: what is to be done in walking order, how far the next is, and the news. */
import { empty, fill, h, icon } from "./html.js";
import { call } from "./net.js";
import { here, isAllowed, unwatch, watch } from "./position.js";
import { shiftCard } from "./shift.js";
import { PRIORITIES, counted, distance, due, isOverdue, isPlace, metresBetween, moment } from "./words.js";

const LOUD = new Set(["high", "critical"]);

function tags(task) {
  const found = [];
  if (isOverdue(task)) found.push(h("span", { class: "tag bad" }, icon("alert"), due(task)));
  if (task.returned) found.push(h("span", { class: "tag warn" }, icon("back"), "Sent back"));
  if (LOUD.has(task.priority)) found.push(h("span", { class: "tag warn" }, `${PRIORITIES[task.priority]} priority`));
  return found.length > 0 ? h("p", { class: "tags" }, found) : null;
}

const facts = (task, ...more) => [task.serial, ...more, !isOverdue(task) && due(task)].filter(Boolean).join(" · ");
const away = (task) => h("span", { class: "away", data: { task: task.id } });
const address = (task) => task.address || task.place || "No address known";
const path = (task) => `/field/assignments/${task.id}`;

function nextCard(task) {
  return h(
    "section",
    { class: "card next", "aria-labelledby": "next-head" },
    h("p", { class: "muted small next-word" }, "Next", h("span", { class: "away figure", data: { task: task.id } })),
    h("h2", { id: "next-head" }, address(task)),
    h("p", { class: "muted" }, facts(task, task.type)),
    tags(task),
    task.returned && h("p", { class: "sum" }, h("strong", {}, "To mend: "), task.returned.notes || "see the message"),
    h("a", { class: "button big", href: path(task), data: { key: "next" } }, "Read this meter"),
  );
}

function row(task, number) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "task", href: path(task), data: { key: task.id } },
      h("span", { class: "number", "aria-hidden": "true" }, String(number)),
      h(
        "span",
        { class: "task-words" },
        h("strong", {}, address(task)),
        h("span", { class: "muted small" }, facts(task)),
        tags(task),
      ),
      away(task),
    ),
  );
}

function notices(context, work) {
  if (work.notices.length === 0) return null;
  const seen = async () => {
    const upTo = Math.max(...work.notices.map(({ id }) => id));
    await call("/api/v1/agents/me/notices/seen", { method: "POST", json: { up_to: upTo } }).catch(() => undefined);
    await context.refresh();
  };
  return h(
    "section",
    { class: "card news", "aria-labelledby": "news-head" },
    h(
      "div",
      { class: "field-head" },
      h("h2", { id: "news-head" }, icon("bell"), "News ", h("span", { class: "count" }, String(work.notices.length))),
      h("button", { class: "button second", type: "button", data: { key: "seen" }, on: { click: seen } }, "Seen"),
    ),
    h(
      "ul",
      { class: "stack" },
      work.notices.map((notice) => h("li", {}, notice.text, " ", h("small", { class: "muted" }, moment(notice.at)))),
    ),
  );
}

function underWay(under) {
  if (under.length === 0) return null;
  const state = (task) => {
    if (task.is_in_review) return "In review";
    if (task.entry === null) return "Its photo is missing: see Sent";
    if (task.entry.problem) return "Could not be sent: see Sent";
    return task.entry.stage === "arrived" ? "Sent" : "Waiting to be sent";
  };
  return h(
    "details",
    { class: "card" },
    h("summary", { data: { key: "under" } }, `${counted(under.length, "reading")} taken`),
    h(
      "ul",
      { class: "stack" },
      under.map((task) => h("li", {}, address(task), " ", h("small", { class: "muted" }, state(task)))),
    ),
  );
}

function showDistances(root, todo) {
  const own = here();
  const tasks = new Map(todo.map((task) => [task.id, task]));
  for (const shown of root.querySelectorAll(".away")) {
    const task = tasks.get(shown.dataset.task);
    shown.textContent = own && task && isPlace(task) ? distance(metresBetween(own, task)) : "";
  }
  const ask = root.querySelector(".ask-position");
  if (ask) ask.hidden = own !== null;
}

function body(context, state) {
  const { work, todo, under } = state;
  const list = h("ol", { class: "tasks" }, todo.slice(1).map((task, index) => row(task, index + 2)));
  const ask = h(
    "button",
    { class: "button quiet ask-position", type: "button", hidden: true },
    icon("pin"),
    "Show how far it is",
  );
  ask.addEventListener("click", () => watch(context.onPosition));
  if (todo.length > 0) {
    const head = h("div", { class: "field-head" }, h("h1", {}, `${counted(todo.length, "meter")} to read`), ask);
    return [head, nextCard(todo[0]), notices(context, work), todo.length > 1 && list, underWay(under)];
  }
  const words =
    under.length > 0
      ? "All your readings are taken. What is sent back appears here again."
      : "Nothing is assigned to you at the moment. New work appears here by itself.";
  return [h("h1", {}, "Today"), empty("check", "Nothing to read", words), notices(context, work), underWay(under)];
}

/** Show the list, and show it anew whenever what is known changes. */
export function show(root, context) {
  context.onPosition = () => showDistances(root, context.state?.todo ?? []);
  isAllowed().then((allowed) => allowed && watch(context.onPosition));
  addEventListener("pagehide", () => unwatch(context.onPosition));
  return (state) => {
    if (state.work.as_of === null) {
      fill(root, empty("list", "Fetching your work", "One moment. It is kept on this phone from then on."));
      return;
    }
    fill(root, shiftCard(state.work.agent, context.setStanding), body(context, state));
    showDistances(root, state.todo);
  };
}
