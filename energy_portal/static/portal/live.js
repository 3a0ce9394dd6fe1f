/** Follows a websocket, says how the connection is, and comes back by itself. */

const WORDS = {
  lost: "Not connected at the moment; trying again.",
  ended: "Your login has ended: log in again to see what is new.",
  closed: "You may not see this any more.",
};
const REFUSED = new Map([
  [4401, "ended"],
  [4403, "ended"],
  [4404, "closed"],
]);
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/**
 * @param {string} path of the websocket.
 * @param {{say: (words: string) => void, live?: string, hear: (message: object, text: string) => void,
 *   lost?: () => void, quietMs?: number, longestWaitMs?: number,
 *   words?: {lost?: string, ended?: string, closed?: string}}} page what says how the connection is, its words while it
 *   is live, what takes each message, what is told that the connection is gone, after how long without any message it
 *   counts as gone although nobody closed it, and words of the page's language for its ends.
 */
export function follow(path, page) {
  const words = { ...WORDS, ...page.words };
  const longest = page.longestWaitMs ?? LONGEST_WAIT_MS;
  let wait = FIRST_WAIT_MS;
  function listen() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${path}`);
    let quiet = null;
    let isOver = false;
    const watch = () => {
      clearTimeout(quiet);
      if (page.quietMs) quiet = setTimeout(() => end(0), page.quietMs);
    };
    // A socket to a host that is gone tells of its end only minutes later.
    const end = (code) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(quiet);
      socket.close();
      page.lost?.();
      if (REFUSED.has(code)) {
        page.say(words[REFUSED.get(code)]);
        return;
      }
      page.say(words.lost);
      setTimeout(listen, wait);
      wait = Math.min(2 * wait, longest);
    };
    watch();
    socket.addEventListener("message", (event) => {
      if (isOver) return;
      wait = FIRST_WAIT_MS;
      watch();
      if (page.live) page.say(page.live);
      page.hear(JSON.parse(event.data), event.data);
    });
    socket.addEventListener("close", (event) => end(event.code));
  }
  listen();
}
