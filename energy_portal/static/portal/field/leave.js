/** On the log-in page and on every page of an agent: who leaves, or comes, finds nothing here that another was shown. */
import { leave } from "./store.js";

const PLACES = new Set(["/login", "/logout"]);

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!PLACES.has(new URL(form.action).pathname)) return;
  event.preventDefault();
  await leave().catch(() => undefined);
  form.submit();
});
