"""A photo decoded and written anew, so that nothing of what was sent goes on but what is to be seen on it."""

import hashlib
import importlib.util
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

from energy_portal.shared.errors import DomainError, Unavailable
from field_ops.photos.containers import Container, is_heic, take_apart
from field_ops.photos.exif import Notes, read_notes
from field_ops.photos.refusals import Broken, ChecksumWrong, TooLarge, TooManyPixels, TooSmall

# What a line-by-line decoder may take on, and one that holds all of the picture, some of them several times over.
_MOST_STREAMED_PIXELS = 50_000_000
_MOST_HELD_PIXELS = {"JPEG": 25_000_000, "PNG": 25_000_000, "WEBP": 16_000_000, "HEIF": 25_000_000}
_LONGEST_SIDE, _SHORTEST_SIDE, _SLIMMEST = 16_384, 32, 10
_STORED_SIDE, _THUMBNAIL_SIDE, _QUALITY = 2_560, 320, 85

_AT_ONCE, _LONGEST_WAIT_SECONDS = 2, 30.0
_turns = threading.BoundedSemaphore(_AT_ONCE)

_HASH_SIDE, _HASHED_SIDE = 8, 32
# Grey levels: noise, a wall or a lamp in the dark have 0.1 to 1.4, a bare meter in poor light 2.7, others 9 to 100.
_LEAST_DETAIL = 2.0

# The header has been judged before Pillow sees a file; should the two ever disagree, Pillow refuses by itself.
Image.MAX_IMAGE_PIXELS = _MOST_STREAMED_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """A photo as it may be kept: two JPEGs of the portal's own making, and what is known of what was sent.

    ``sha256`` is of what was sent. ``perceptual_hash`` is a signed integer of 64 bits; None where there is too little
    to be seen for it to mean anything, and then there are no ``bands``: each the place of one of its bytes times 256,
    plus the byte.
    """

    jpeg: bytes
    thumbnail: bytes
    width: int
    height: int
    sent_format: str
    sent_bytes: int
    sha256: str
    perceptual_hash: int | None
    bands: tuple[int, ...]
    notes: Notes


def read_photo(source: bytes | Path, *, largest_bytes: int, zone: tzinfo, sha256: str = "") -> Picture:
    """Decode a photo that anybody may have made up, at a bounded cost, and write it anew.

    Two photos at most are in hand at once in a process; the others wait.

    :param source: the photo, or where it lies; where there is no file, there is nothing in it.
    :param zone: of the camera's clock, where the photo does not say its offset.
    :param sha256: what its sender says, in hexadecimal; judged unless it is empty.
    :raises PhotoRefused: it is not one, or not one that the portal takes; the code says why.
    :raises Unavailable: too many wait.
    """
    with _turn():
        data = _bytes_of(source, largest_bytes)
        digest = hashlib.sha256(data).hexdigest()
        if sha256 and digest != sha256:
            raise ChecksumWrong("What arrived is not the photo that was announced.")
        return _read(data, digest, zone)


def _read(data: bytes, digest: str, zone: tzinfo) -> Picture:
    container = _heic(data) if is_heic(data) and _reads_heic() else take_apart(data)
    _judge_size(container)
    notes = read_notes(container.exif, zone=zone)
    upright = _upright(_decoded(container), notes.orientation)
    small = _resized(upright, _THUMBNAIL_SIDE)
    perceptual_hash = perceptual_hash_of(small)
    return Picture(
        jpeg=_jpeg(upright),
        thumbnail=_jpeg(small),
        width=upright.width,
        height=upright.height,
        sent_format=container.kind,
        sent_bytes=len(data),
        sha256=digest,
        perceptual_hash=perceptual_hash,
        bands=bands_of(perceptual_hash) if perceptual_hash is not None else (),
        notes=notes,
    )


def perceptual_hash_of(picture: Image.Image) -> int | None:
    """Return the perceptual hash (pHash) of a picture as a signed integer of 64 bits; None of too little detail.

    The hash says for each of 64 low frequencies whether there is more of it than of half of them. Where that half is no
    more than noise, as of a wall or in the dark, chance decides, and strangers look alike.
    """
    grey = picture.convert("L").resize((_HASHED_SIDE, _HASHED_SIDE), Image.Resampling.LANCZOS)
    if _detail(np.asarray(grey, dtype=np.float64)) < _LEAST_DETAIL:
        return None
    bits = imagehash.phash(picture, hash_size=_HASH_SIDE, highfreq_factor=_HASHED_SIDE // _HASH_SIDE).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True)


def bands_of(perceptual_hash: int) -> tuple[int, ...]:
    """Return the eight bytes of a hash, each with its place: hashes that differ in fewer than 8 bits share one."""
    return tuple(place * 256 + byte for place, byte in enumerate(perceptual_hash.to_bytes(8, "big", signed=True)))


def _detail(grey: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Return the median size of the low frequencies that the hash compares, of the orthonormal DCT-II, grey levels."""
    places = np.arange(_HASHED_SIDE)
    waves = np.cos(np.pi * np.outer(np.arange(_HASH_SIDE), 2 * places + 1) / (2 * _HASHED_SIDE))
    waves *= np.sqrt(2 / _HASHED_SIDE)
    low = np.abs(waves @ grey @ waves.T).ravel()
    return float(np.median(low[1:]))


def _bytes_of(source: bytes | Path, largest_bytes: int) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        try:
            with source.open("rb") as file:
                data = file.read(largest_bytes + 1)
        except FileNotFoundError:
            data = b""
    if len(data) > largest_bytes:
        raise TooLarge(f"A photo may have {largest_bytes / 2**20:g} MiB at most.")
    return data


def _judge_size(container: Container) -> None:
    shorter, longer = sorted((container.width, container.height))
    if shorter < _SHORTEST_SIDE or longer > _SLIMMEST * shorter:
        raise TooSmall(f"Nothing can be read on {container.width} by {container.height} pixels.")
    most = _MOST_STREAMED_PIXELS if container.is_streamed else _MOST_HELD_PIXELS[container.kind]
    if longer > _LONGEST_SIDE or shorter * longer > most:
        raise TooManyPixels(
            f"The photo has {container.width} by {container.height} pixels; {most / 1e6:g} million are taken at most."
        )


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise Unavailable("Too many photos are being read just now.", code="photos_busy", retry_after_seconds=5)
    try:
        yield
    finally:
        _turns.release()


def _decoded(container: Container) -> Image.Image:
    """Return a picture in RGB, no larger than it is to be stored, and without anything that came with it."""
    try:
        with Image.open(io.BytesIO(container.picture), formats=(container.kind,)) as opened:
            _compare_size(opened, container)
            opened.draft(None, _within(opened.size, _STORED_SIDE))
            opened.load()
            picture = _resized(_in_rgb(opened), _STORED_SIDE)
            picture = picture.copy() if picture is opened else picture
    except (DomainError, MemoryError):
        raise
    # A decoder that is fed by strangers raises whatever it likes.
    except Exception as error:
        raise Broken("The photo cannot be decoded.") from error
    picture.info = {}
    return picture


def _compare_size(opened: Image.Image, container: Container) -> None:
    if opened.size != (container.width, container.height):
        raise Broken("The photo contradicts itself about its size.")


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture


def _in_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture in RGB: what is transparent in white, 16 bits of grey as 8."""
    if picture.mode.startswith("I"):
        return picture.point(lambda level: level * (1 / 256)).convert("L").convert("RGB")
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(with_alpha, mask=with_alpha)
        return ground
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _resized(picture: Image.Image, side: int) -> Image.Image:
    if max(picture.size) <= side:
        return picture
    return picture.resize(_within(picture.size, side), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    share = min(1.0, side / max(size))
    width, height = size
    return max(1, round(width * share)), max(1, round(height * share))


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _reads_heic() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None


def _heic(data: bytes) -> Container:
    """Take a HEIC apart by the library that knows how; it is not decoded yet.

    :raises Broken: the library cannot read it.
    """
    import pillow_heif

    pillow_heif.register_heif_opener()
    try:
        with Image.open(io.BytesIO(data), formats=("HEIF",)) as opened:
            exif = opened.info.get("exif") or b""
            width, height = opened.size
    except Exception as error:
        raise Broken("The HEIC cannot be read.") from error
    return Container("HEIF", width, height, is_streamed=False, picture=data, exif=exif.removeprefix(b"Exif\0\0"))
