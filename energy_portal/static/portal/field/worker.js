/** The service worker: keeps the pages' parts, answers when there is no connection, and sends in the background. */
import { TAG, Turn, sendAll } from "./outbox.js";
import { agents, wipe } from "./store.js";

const STATIC = "field-static-";
const PAGES = "field-pages";
const PATIENCE_MS = 4_000;

async function install({ version, files, offline }) {
  const cache = await caches.open(STATIC + version);
  await cache.addAll(files.map((path) => new Request(path, { cache: "reload" })));
  // Without the login, whose name the page would show.
  await cache.add(new Request(offline, { cache: "reload", credentials: "omit" }));
  await self.skipWaiting();
}

async function activate({ version }) {
  for (const name of await caches.keys()) {
    if (name.startsWith(STATIC) && name !== STATIC + version) await caches.delete(name);
  }
  await self.clients.claim();
}

async function kept(facts) {
  const pages = await caches.open(PAGES);
  return (await pages.match(facts.shell)) ?? (await caches.match(facts.offline)) ?? Response.error();
}

/** Ask the portal first; without it, the one document that all pages are, as this agent had it last. */
async function page(event, facts) {
  const asked = fetch(event.request);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  event.waitUntil(asked.then((answer) => keepPage(answer.clone(), facts), () => undefined));
  try {
    const answer = (await Promise.race([asked, late])) ?? (await keptOrLate(asked, facts));
    return answer.status >= 500 ? await kept(facts) : answer;
  } catch {
    return kept(facts);
  }
}

async function keptOrLate(asked, facts) {
  return (await (await caches.open(PAGES)).match(facts.shell)) ?? asked;
}

async function keepPage(answer, facts) {
  if (answer.status === 200 && !answer.redirected && answer.type === "basic") {
    await (await caches.open(PAGES)).put(facts.shell, answer);
  }
}

async function part(request, { version }) {
  const cache = await caches.open(STATIC + version);
  return (await cache.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function sendForAll() {
  for (const agent of await agents()) {
    const turn = await sendAll(agent);
    if (turn === Turn.REVOKED) await wipe();
    if (turn === Turn.OFFLINE) throw new Error("No connection: the browser tries again.");
  }
}

/**
 * Serve the pages.
 *
 * @param {object} facts `version`, `files` to keep, and where the document (`shell`) and its stand-in (`offline`) lie.
 */
export function serve(facts) {
  const files = new Set(facts.files);
  const shellPages = /^\/field\/(?:map|sent|assignments\/[^/]+)?$/;
  self.addEventListener("install", (event) => event.waitUntil(install(facts)));
  self.addEventListener("activate", (event) => event.waitUntil(activate(facts)));
  self.addEventListener("sync", (event) => event.tag === TAG && event.waitUntil(sendForAll()));
  self.addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
    if (event.request.mode === "navigate" && shellPages.test(url.pathname)) event.respondWith(page(event, facts));
    else if (files.has(url.pathname)) event.respondWith(part(event.request, facts));
  });
}
