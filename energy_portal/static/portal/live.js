/** Follows a websocket that tells its whole state each time, says how the connection is, and comes back by itself. */

const REFUSED = new Set([4401, 4403]);
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/**
 * @param {string} path of the websocket.
 * @param {{say: (words: string) => void, live: string, hear: (state: object, text: string) => void}} page what says how
 *   the connection is, its words while it is live, and what takes each state.
 */
export function follow(path, page) {
  let wait = FIRST_WAIT_MS;
  function listen() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${path}`);
    socket.addEventListener("message", (event) => {
      wait = FIRST_WAIT_MS;
      page.say(page.live);
      page.hear(JSON.parse(event.data), event.data);
    });
    socket.addEventListener("close", (event) => {
      if (REFUSED.has(event.code)) {
        page.say("Your login has ended: log in again to see what is new.");
        return;
      }
      page.say("Not connected at the moment; trying again.");
      setTimeout(listen, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    });
  }
  listen();
}
