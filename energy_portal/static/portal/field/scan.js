/** Reads the bar code or QR code on a meter, live from the camera or from a photo, where the browser can. */
import { h } from "./html.js";

const EVERY_MS = 200;

/** Say whether this browser reads codes. */
export const canScan = () => "BarcodeDetector" in window;

/** Read the code on a photo that the agent takes or chooses; null where there is none to be read. */
async function scanPhoto() {
  const input = h("input", { type: "file", accept: "image/*", capture: "environment" });
  const chosen = new Promise((resolve) => {
    input.addEventListener("change", () => resolve(input.files[0]));
    input.addEventListener("cancel", () => resolve(null));
  });
  input.click();
  const file = await chosen;
  if (!file) return null;
  const found = await new window.BarcodeDetector().detect(await createImageBitmap(file)).catch(() => []);
  return found[0]?.rawValue.trim() ?? null;
}

async function look(video, detector, dialog) {
  while (dialog.open) {
    const found = video.readyState >= video.HAVE_CURRENT_DATA ? await detector.detect(video).catch(() => []) : [];
    if (found.length > 0) return found[0].rawValue.trim();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  return null;
}

/** Show the camera until it sees a code, or have a photo taken where it cannot be shown; null if the agent gives up. */
export async function scan() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return scanPhoto();
  }
  const video = h("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "Camera" });
  const close = h("button", { class: "button second", type: "button" }, "Type it instead");
  const dialog = h(
    "dialog",
    { class: "scanner", "aria-label": "Scan the meter number" },
    video,
    h("p", {}, "Hold the code of the meter in front of the camera."),
    close,
  );
  close.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  try {
    video.srcObject = stream;
    await video.play();
    return await look(video, new window.BarcodeDetector(), dialog);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    dialog.close();
    dialog.remove();
  }
}
