/** Runs on the page that says that this phone is revoked: nothing stays on it. */
import { wipe } from "./store.js";

await wipe();
