/** Where this phone is, for as long as somebody on the page wants to know. */

const OPTIONS = { enableHighAccuracy: true, maximumAge: 10_000, timeout: 60_000 };

const listeners = new Set();
let watching = null;
let last = null;
let trouble = null;

function fixOf({ coords, timestamp }) {
  return {
    at: new Date(timestamp).toISOString(),
    latitude: coords.latitude,
    longitude: coords.longitude,
    accuracy_m: Math.round(coords.accuracy * 10) / 10,
  };
}

function tell() {
  for (const listener of listeners) listener(last, trouble);
}

/** Return the last position, or null. */
export const here = () => last;

/** Say whether the person has allowed positions before, so that asking would not startle them. */
export async function isAllowed() {
  const state = await navigator.permissions?.query({ name: "geolocation" }).catch(() => null);
  return state?.state === "granted";
}

/** Call a listener with every position, or with why there is none; the browser asks the person first. */
export function watch(listener) {
  listeners.add(listener);
  if (last !== null || trouble !== null) listener(last, trouble);
  if (watching !== null || !navigator.geolocation) return;
  watching = navigator.geolocation.watchPosition(
    (position) => {
      last = fixOf(position);
      trouble = null;
      tell();
    },
    (error) => {
      trouble = error.code === error.PERMISSION_DENIED ? "denied" : "searching";
      tell();
    },
    OPTIONS,
  );
}

/** Have a listener called no more; without any the phone stops looking. */
export function unwatch(listener) {
  listeners.delete(listener);
  if (listeners.size > 0 || watching === null) return;
  navigator.geolocation.clearWatch(watching);
  watching = null;
}
