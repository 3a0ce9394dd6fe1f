"""Photos as cameras make them, and the parts to make up others."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw


def meter(width=640, height=480, *, seed=7, mode="RGB") -> Image.Image:
    """Return a picture with as much to be seen as on a photo of a meter: the same of the same seed."""
    picture = Image.new("RGB", (width, height), (70, 80, 90))
    draw, chance = ImageDraw.Draw(picture), np.random.default_rng(seed)
    for _ in range(60):
        x, y = chance.uniform(0, 0.9, 2) * (width, height)
        wide, high = chance.uniform(0.02, 0.35, 2) * (width, height)
        draw.rectangle((x, y, x + wide, y + high), fill=tuple(map(int, chance.integers(0, 256, 3))))
    return picture.convert(mode)


def encoded(picture: Image.Image, kind="JPEG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(width=640, height=480, *, seed=7, **options) -> bytes:
    return encoded(meter(width, height, seed=seed), **options)


def segment(marker: int, body: bytes) -> bytes:
    """Return a marked part of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(photo: bytes, *segments: bytes) -> bytes:
    """Return a JPEG with further parts at its head."""
    return photo[:2] + b"".join(segments) + photo[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, *chunks: bytes, depth=8, colour=2, data: bytes | None = None) -> bytes:
    """Return a PNG of a stated size with what data there are, and chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    if data is None:
        data = zlib.compress(bytes((1 + 3 * width) * height))
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def riff(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a WebP."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def webp(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def entry(tag: int, kind: int, value: bytes) -> tuple[int, int, bytes]:
    """Return what :func:`tiff` makes an entry of: 2 text, 3 short, 4 long, 5 rational."""
    return tag, kind, value


def text(tag: int, value: str) -> tuple[int, int, bytes]:
    return entry(tag, 2, value.encode() + b"\0")


def rationals(tag: int, *pairs: tuple[int, int]) -> tuple[int, int, bytes]:
    return entry(tag, 5, b"".join(struct.pack("<II", *pair) for pair in pairs))


def tiff(main=(), *, taken=(), gps=()) -> bytes:
    """Return a TIFF structure with the directories of EXIF and GPS, little-endian."""
    places = {0x8769: taken, 0x8825: gps}
    file = b"II*\0" + struct.pack("<I", 8)
    pointers = {tag: 0 for tag, entries in places.items() if entries}
    for _ in range(2):
        body = directory([*main, *(entry(tag, 4, struct.pack("<I", at)) for tag, at in pointers.items())], at=8)
        for tag in pointers:
            pointers[tag] = 8 + len(body)
            body += directory(places[tag], at=8 + len(body))
    return file + body


def directory(entries, *, at: int) -> bytes:
    """Return a directory that lies at a place, and behind it what does not fit in its entries."""
    entries = list(entries)
    head, tail = struct.pack("<H", len(entries)), b""
    beyond = at + 2 + 12 * len(entries) + 4
    sizes = {2: 1, 3: 2, 4: 4, 5: 8}
    for tag, kind, value in entries:
        count = len(value) // sizes[kind]
        if len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field = struct.pack("<I", beyond + len(tail))
            tail += value + b"\0" * (len(value) % 2)
        head += struct.pack("<HHI", tag, kind, count) + field
    return head + struct.pack("<I", 0) + tail


def with_exif(photo: bytes, exif: bytes) -> bytes:
    return with_segments(photo, segment(0xE1, b"Exif\0\0" + exif))
