/**
 * Photos. The original is sent wherever the portal takes its size: managers zoom into it, its camera's place and time
 * are evidence, and pieces that resume make its size bearable. Only a larger one is made smaller, keeping its EXIF.
 */
import { h, icon } from "./html.js";

const LONGEST_SIDE = 3_000;
const QUALITY = 0.85;
const EXIF_MARKER = 0xe1;
const ORIENTATION = 0x0112;
const NAME = [0x45, 0x78, 0x69, 0x66, 0, 0];

/** Return the EXIF segment of a JPEG, with the picture marked as upright, or null. */
export function exifOf(bytes) {
  const view = new DataView(bytes);
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; at + 4 <= view.byteLength && view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xda) return null;
    const length = 2 + view.getUint16(at + 2);
    const named = () => NAME.every((byte, index) => view.getUint8(at + 4 + index) === byte);
    if (marker === EXIF_MARKER && length > 18 && at + length <= view.byteLength && named()) {
      return upright(bytes.slice(at, at + length));
    }
  }
  return null;
}

/** A canvas draws a picture as it is meant to be seen, so that turning it once more would be wrong. */
function upright(segment) {
  const view = new DataView(segment);
  const tiff = 10;
  const little = view.getUint16(tiff) === 0x4949;
  const first = tiff + view.getUint32(tiff + 4, little);
  if (first + 2 > view.byteLength) return segment;
  for (let entry = 0; entry < view.getUint16(first, little); entry += 1) {
    const at = first + 2 + 12 * entry;
    if (at + 12 > view.byteLength) break;
    if (view.getUint16(at, little) === ORIENTATION) view.setUint16(at + 8, 1, little);
  }
  return segment;
}

async function smaller(file, original) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = h("canvas", { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  const exif = exifOf(original);
  const parts = exif === null ? [blob] : [blob.slice(0, 2), exif, blob.slice(2)];
  return new Blob(parts, { type: "image/jpeg" }).arrayBuffer();
}

async function hashOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Make what is sent of a picture. Its bytes are held, not the file: cameras delete theirs.
 *
 * @param {File} file
 * @param {number} limit the portal's, in bytes; 0 where it is not known.
 * @returns {Promise<{bytes: ArrayBuffer, type: string, sha256: string}>}
 */
export async function photoOf(file, limit) {
  const original = await file.arrayBuffer();
  const fits = limit === 0 || original.byteLength <= limit;
  const bytes = fits ? original : await smaller(file, original);
  return { bytes, type: fits ? file.type : "image/jpeg", sha256: await hashOf(bytes) };
}

/** Return a button that opens the camera; `taken(photo)` gets what is to be sent. */
export function photoButton(words, limit, taken) {
  const input = h("input", { type: "file", accept: "image/*", capture: "environment", class: "for-ears" });
  const error = h("span", { class: "error", role: "alert" });
  input.addEventListener("change", async () => {
    if (input.files.length === 0) return;
    error.textContent = "";
    try {
      await taken(await photoOf(input.files[0], limit));
    } catch {
      error.textContent = "This picture cannot be read. Take it again.";
    }
    input.value = "";
  });
  return h(
    "span",
    { class: "photo-button" },
    h("label", { class: "button second big" }, input, icon("camera"), h("span", {}, words)),
    error,
  );
}

/** Draw a photo into a canvas, as wide as there is room; false where the browser cannot decode it. */
export async function preview(canvas, { bytes, type }) {
  try {
    const picture = await createImageBitmap(new Blob([bytes], { type }), { resizeWidth: 720 });
    canvas.width = picture.width;
    canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    return true;
  } catch {
    return false;
  }
}
