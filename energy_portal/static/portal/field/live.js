/** Hears from the portal, while a page is open, that an agent's work has changed. */

const REFUSED = new Set([4401, 4403]);
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

let wait = FIRST_WAIT_MS;
let isFirst = true;

/** Call a listener whenever there is news; what was so when the page was opened is none. */
export function listen(changed) {
  if (!navigator.onLine) {
    addEventListener("online", () => listen(changed), { once: true });
    return;
  }
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/ws/work/`);
  socket.addEventListener("message", () => {
    wait = FIRST_WAIT_MS;
    if (!isFirst) changed();
    isFirst = false;
  });
  socket.addEventListener("close", ({ code }) => {
    if (REFUSED.has(code)) return;
    setTimeout(() => listen(changed), wait);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  });
}
