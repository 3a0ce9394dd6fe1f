/** On every page that an agent sees: when they log out, what they were shown leaves the phone with them. */
import { leave } from "./store.js";

const LOGOUT = "/logout";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (new URL(form.action).pathname !== LOGOUT || form.dataset.left) return;
  event.preventDefault();
  form.dataset.left = "yes";
  await leave().catch(() => undefined);
  form.submit();
});
