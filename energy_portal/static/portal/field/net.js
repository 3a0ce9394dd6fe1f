/** Calls to the portal: with the session and its token, and with errors that say what to do next. */

const PATIENCE_MS = 45_000;
// Too slow, and too often: what is tried again later may well go through.
const PASSING = new Set([408, 429]);

/** The portal could not be reached, or is not well: what waits, waits. */
export class Unreachable extends Error {}

/** The portal answered and will not take it. `code` is stable, `message` for people, `body` the whole answer. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.detail ?? "The portal did not take it.");
    this.status = status;
    this.code = body.code ?? "";
    this.body = body;
  }
}

async function token() {
  if (globalThis.document) return /(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
  return (await globalThis.cookieStore?.get("csrftoken"))?.value ?? "";
}

/**
 * Call the portal.
 *
 * @param {string} path
 * @param {object} how `method`, and `json` or `bytes` with `headers`.
 * @returns {Promise<object>} the JSON of the answer.
 * @throws {Unreachable} no connection, a fault of the portal's, or too many calls.
 * @throws {Refused} any other answer that is no success.
 */
export async function call(path, { method = "GET", json, bytes, headers = {} } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (method !== "GET") sent["X-CSRFToken"] = await token();
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  let body;
  try {
    answer = await fetch(path, {
      method,
      headers: sent,
      body: json === undefined ? bytes : JSON.stringify(json),
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await answer.text();
    body = text === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new Unreachable("No connection.", { cause: error });
  }
  if (answer.ok) return body;
  if (answer.status >= 500 || PASSING.has(answer.status)) throw new Unreachable("The portal is busy.");
  throw new Refused(answer.status, body);
}
