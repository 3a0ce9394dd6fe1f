/** Runs on the page that says that this phone is revoked: nothing stays on it. */
import { wipe } from "./store.js";

await wipe();
for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) await registration.unregister();
