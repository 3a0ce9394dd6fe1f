/** What this phone keeps: a database for each agent who works on it, so that none sees another's. */

const PREFIX = "field-";
const VERSION = 1;
const STORES = { facts: undefined, drafts: "assignment", outbox: "id", fixes: "at" };

const opened = new Map();

function promised(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function database(agent) {
  if (!opened.has(agent)) {
    const request = indexedDB.open(PREFIX + agent, VERSION);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
    };
    const ready = promised(request).then((db) => {
      const closed = () => opened.delete(agent);
      db.onclose = closed;
      db.onversionchange = () => {
        db.close();
        closed();
      };
      return db;
    });
    ready.catch(() => opened.delete(agent));
    opened.set(agent, ready);
  }
  return opened.get(agent);
}

async function within(agent, store, mode, act) {
  const db = await database(agent);
  const transaction = db.transaction(store, mode);
  const result = act(transaction.objectStore(store));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
  return result.result;
}

/** Read a row; undefined where there is none. */
export const read = (agent, store, key) => within(agent, store, "readonly", (rows) => rows.get(key));

/** Read all rows of a store, in the order of their keys. */
export const list = (agent, store) => within(agent, store, "readonly", (rows) => rows.getAll());

/** Write a row; it lies on the disk when the promise is kept. */
export const write = (agent, store, row, key) => within(agent, store, "readwrite", (rows) => rows.put(row, key));

/** Delete a row, or those between two keys. */
export const erase = (agent, store, key) => within(agent, store, "readwrite", (rows) => rows.delete(key));

/** Return which agents have something on this phone. */
export async function agents() {
  const all = (await indexedDB.databases?.()) ?? [];
  return all.filter(({ name }) => name.startsWith(PREFIX)).map(({ name }) => name.slice(PREFIX.length));
}

/** Forget what an agent was shown; what they have not sent yet stays for their next login. */
export async function forgetShown(agent) {
  await within(agent, "facts", "readwrite", (rows) => rows.clear());
}

/** Delete the caches whose names begin so; where the browser has any, which takes HTTPS. */
async function dropCaches(beginning) {
  const names = (await globalThis.caches?.keys()) ?? [];
  for (const name of names) if (name.startsWith(beginning)) await caches.delete(name);
}

/** Leave nothing to see for whoever comes next on this phone. */
export async function leave() {
  await dropCaches("field-pages");
  for (const agent of await agents()) await forgetShown(agent);
}

/** Delete all that is on this phone, also what has not been sent: somebody revoked it. */
export async function wipe() {
  for (const agent of await agents()) {
    await opened.get(agent)?.then((db) => db.close(), () => undefined);
    opened.delete(agent);
    indexedDB.deleteDatabase(PREFIX + agent);
  }
  await dropCaches("field-");
  for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) await registration.unregister();
}
