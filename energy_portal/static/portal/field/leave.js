/** On the log-in page and on agents' pages: who leaves takes along what they were shown, and who comes finds none. */
import { leave } from "./store.js";

const PLACES = new Set(["/login", "/logout"]);

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!PLACES.has(new URL(form.action).pathname)) return;
  event.preventDefault();
  await leave().catch(() => undefined);
  form.submit();
});
