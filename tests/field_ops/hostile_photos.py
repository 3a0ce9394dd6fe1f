"""Photos made up by somebody who means harm, each with the code of its refusal; None for those that are defused.

``PAYLOAD`` is what the sender would like to see stored.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.field_ops.photo_files import (
    chunk,
    encoded,
    entry,
    jpeg,
    meter,
    png,
    rationals,
    riff,
    segment,
    text,
    tiff,
    webp,
    with_exif,
    with_segments,
)

PAYLOAD = b"<?php system($_GET['c']); ?><script>alert(document.cookie)</script>"
_MEBIBYTE = 2**20
_BOMB = zlib.compress(bytes(200 * _MEBIBYTE), 9)
_XMP = b"http://ns.adobe.com/xap/1.0/\0" + PAYLOAD


def hostile_photos() -> Iterator[tuple[str, bytes, str | None]]:
    """Yield the name, the file and the code of each."""
    yield from _what_is_no_photo()
    yield from _other_kinds_of_picture()
    yield from _broken_jpegs()
    yield from _broken_pngs()
    yield from _broken_webps()
    yield from _too_much()
    yield from _defused_jpegs()
    yield from _defused_others()
    yield from _hostile_notes()


def _what_is_no_photo():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.php", PAYLOAD)
    yield "nothing", b"", "photo_empty"
    yield "zeros", bytes(1000), "photo_not_accepted"
    yield "html", b"<!doctype html><html>" + PAYLOAD, "photo_not_accepted"
    yield "svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">' + PAYLOAD, "photo_not_accepted"
    yield "svg packed", gzip.compress(b"<svg>" + PAYLOAD), "photo_not_accepted"
    yield "pdf", b"%PDF-1.7\n" + jpeg(), "photo_not_accepted"
    yield "zip", archive.getvalue(), "photo_not_accepted"
    yield "program", b"\x7fELF\x02\x01\x01" + bytes(500), "photo_not_accepted"
    yield "php before a photo", PAYLOAD + jpeg(), "photo_not_accepted"
    yield "script that calls itself a gif", b"GIF89a/*" + PAYLOAD + b"*/", "photo_not_accepted"
    yield "postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n", "photo_not_accepted"
    yield "magick", b"push graphic-context\nfill 'url(https://x/\"|ls \"-la)'\n", "photo_not_accepted"
    yield "heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "heic_not_supported"
    yield "avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(200), "photo_not_accepted"
    yield "film", b"\0\0\0\x18ftypisom\0\0\0\0isomiso2" + bytes(200), "photo_not_accepted"
    yield "sound in a riff", b"RIFF\x24\0\0\0WAVEfmt " + bytes(28), "photo_not_accepted"


def _other_kinds_of_picture():
    picture = meter(64, 64)
    for kind in ("GIF", "TIFF", "BMP", "ICO", "PPM", "TGA", "PCX", "SGI", "JPEG2000", "DDS", "ICNS"):
        yield f"a {kind}", encoded(picture, kind), "photo_not_accepted"
    yield "a PSD", b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 64, 64, 8, 3) + bytes(100), "photo_not_accepted"


def _broken_jpegs():
    photo = jpeg()
    scan = photo.index(b"\xff\xda")
    frame = photo.index(b"\xff\xc0")
    yield "a jpeg's first bytes", photo[:3], "photo_broken"
    yield "a jpeg without a picture", b"\xff\xd8\xff\xd9", "photo_broken"
    yield "a jpeg cut in its head", photo[: frame + 4], "photo_broken"
    yield "a jpeg cut in its scan", photo[: len(photo) // 2], "photo_broken"
    yield "a jpeg without a frame", photo[:frame] + photo[scan:], "photo_broken"
    yield "a jpeg with two frames", photo[:frame] + photo[frame : frame + 19] + photo[frame:], "photo_broken"
    yield "a jpeg without tables", photo[:2] + photo[frame : frame + 19] + photo[scan:], "photo_broken"
    yield "a jpeg without loss", photo.replace(b"\xff\xc0", b"\xff\xc3", 1), "photo_broken"
    yield "a jpeg of 12 bits", photo[: frame + 4] + b"\x0c" + photo[frame + 5 :], "photo_broken"
    yield "a jpeg with a part of no length", with_segments(photo, b"\xff\xee\0\0"), "photo_broken"
    yield "a jpeg with a part beyond its end", photo[:2] + b"\xff\xe5\xff\xff" + photo[-200:], "photo_broken"
    yield "a jpeg of half a million parts", with_segments(photo, segment(0xFE, b"") * 500_000), "photo_broken"
    progressive = jpeg(progressive=True)
    last = progressive.rindex(b"\xff\xda")
    scans = progressive[:-2] + progressive[last:-2] * 500 + b"\xff\xd9"
    yield "a jpeg of hundreds of scans", scans, "photo_broken"


def _broken_pngs():
    photo = encoded(meter(), "PNG")
    yield "a png's first bytes", photo[:8], "photo_broken"
    yield "a png cut in its data", photo[: len(photo) // 2], "photo_broken"
    yield "a png without data", png(100, 100, data=b""), "photo_broken"
    yield "a png of rubbish", png(100, 100, data=b"rubbish" * 9), "photo_broken"
    yield "a png with a wrong checksum", photo[:40] + bytes([photo[40] ^ 255]) + photo[41:], "photo_broken"
    yield "a png with two headers", png(100, 100, png(9_999, 9_999)[8:33]), "photo_broken"
    yield "a png whose header comes late", photo[:8] + chunk(b"tEXt", b"a\0b") + photo[8:], "photo_broken"
    yield "a png with a short header", photo[:8] + chunk(b"IHDR", b"\0\0") + chunk(b"IEND", b""), "photo_too_small"
    yield "a png of a depth that is none", png(100, 100, depth=7), "photo_broken"
    yield "a png of half a million chunks", png(100, 100, chunk(b"tEXt", b"") * 500_000), "photo_broken"
    moving = encoded(meter(64, 64), "PNG", save_all=True, append_images=[meter(64, 64, seed=n) for n in range(3)])
    yield "a png that moves", moving, "photo_animated"


def _broken_webps():
    photo = encoded(meter(), "WEBP")
    yield "a webp's first bytes", photo[:12], "photo_broken"
    yield "a webp cut in its data", photo[: len(photo) // 2], "photo_broken"
    yield "a webp without a picture", webp(riff(b"XMP ", PAYLOAD)), "photo_broken"
    yield (
        "a webp of rubbish",
        webp(riff(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01" + b"rubbish" * 9)),
        "photo_broken",
    )
    yield "a webp that is shorter than it says", photo[:4] + struct.pack("<I", 2**31) + photo[8:], "photo_broken"
    frames = [meter(64, 64, seed=n) for n in range(3)]
    yield "a webp that moves", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "photo_animated"


def _too_much():
    photo = jpeg()
    frame = photo.index(b"\xff\xc0")
    progressive = jpeg(progressive=True)
    late = progressive.index(b"\xff\xc2")
    plain = encoded(meter(), "WEBP")
    packed = encoded(meter(), "WEBP", lossless=True)
    sides = 16_383 | 16_383 << 14 | struct.unpack("<I", packed[21:25])[0] & 0xF0000000

    def sized(file, place, width, height):
        return file[: place + 5] + struct.pack(">HH", height, width) + file[place + 9 :]

    yield "a jpeg that says 65535 by 65535", sized(photo, frame, 65_535, 65_535), "photo_too_many_pixels"
    yield "a jpeg that says 16000 by 16000", sized(photo, frame, 16_000, 16_000), "photo_too_many_pixels"
    yield "a progressive jpeg that says 7000 by 7000", sized(progressive, late, 7_000, 7_000), "photo_too_many_pixels"
    yield "a jpeg of no height", sized(photo, frame, 640, 0), "photo_too_small"
    yield "a jpeg of one pixel", jpeg(1, 1), "photo_too_small"
    yield "a jpeg that is a line", sized(photo, frame, 16_000, 40), "photo_too_small"
    yield "a png that says 2 000 000 000 a side", png(2_000_000_000, 2_000_000_000, data=b"x"), "photo_too_many_pixels"
    yield "a png bomb", png(20_000, 20_000, data=_BOMB), "photo_too_many_pixels"
    yield "a png of no width", png(0, 100, data=b"x"), "photo_too_small"
    yield (
        "a webp that says 16383 a side",
        plain[:26] + struct.pack("<HH", 16_383, 16_383) + plain[30:],
        ("photo_too_many_pixels"),
    )
    yield (
        "a packed webp that says 16384 a side",
        packed[:21] + struct.pack("<I", sides) + packed[25:],
        ("photo_too_many_pixels"),
    )
    yield "a jpeg of ten times the bytes", photo + bytes(11 * _MEBIBYTE), "photo_too_large"


def _defused_jpegs():
    photo = jpeg()
    scan = photo.index(b"\xff\xda")
    middle = (scan + len(photo)) // 2
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.php", PAYLOAD)
    parts = (jpeg(3_000, 2_000, seed=2), photo)
    yield "a jpeg with a script in a comment", with_segments(photo, segment(0xFE, PAYLOAD)), None
    yield "a jpeg with a script in its xmp", with_segments(photo, segment(0xE1, _XMP)), None
    yield "a jpeg with a script in a profile", with_segments(photo, segment(0xE2, b"ICC_PROFILE\0\1\1" + PAYLOAD)), None
    yield "a jpeg with a script for photoshop", with_segments(photo, segment(0xED, b"Photoshop 3.0\0" + PAYLOAD)), None
    yield "a jpeg with a script behind it", photo + PAYLOAD, None
    yield "a jpeg with a zip behind it", photo + archive.getvalue(), None
    yield "a jpeg with a film behind it", photo + b"\0\0\0\x18ftypmp42" + PAYLOAD * 1_000, None
    yield "a jpeg with another behind it", parts[0] + parts[1], None
    yield "a jpeg of two pictures", encoded(meter(), "MPO", save_all=True, append_images=[meter(seed=2)]), None
    yield "a jpeg full of comments", with_segments(photo, segment(0xFE, PAYLOAD * 900) * 100), None
    yield "a jpeg with a script in its scan", photo[:middle] + PAYLOAD + photo[middle:], None
    yield "a jpeg with a wrong Adobe part", with_segments(photo, segment(0xEE, b"Adobe" + PAYLOAD)), None
    yield "a jpeg with nothing in its scan", photo[: scan + 14] + b"\xff\xd9", None
    yield "a jpeg cut, and closed again", photo[:middle] + b"\xff\xd9", None
    yield "a jpeg in four colours", encoded(meter(mode="CMYK")), None
    yield "a jpeg in grey", encoded(meter(mode="L")), None
    yield "a jpeg of 49 million pixels", encoded(Image.new("L", (8_100, 6_050), 99)), None


def _defused_others():
    photo = meter()
    plain = encoded(photo, "WEBP")
    texts = (
        chunk(b"tEXt", b"Comment\0" + PAYLOAD),
        chunk(b"zTXt", b"Comment\0\0" + _BOMB),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _BOMB),
        chunk(b"iCCP", b"x\0\0" + _BOMB),
    )
    behind = encoded(photo, "PNG") + PAYLOAD
    body = zlib.compress(bytes(301 * 100) + bytes(200 * _MEBIBYTE), 9)
    yield "a png with text", png(100, 100, texts[0]), None
    yield "a png with a packed bomb of text", png(100, 100, *(texts[1],) * 3), None
    yield "a png with a packed bomb of xmp", png(100, 100, *(texts[2],) * 3), None
    yield "a png with a packed bomb for a profile", png(100, 100, texts[3]), None
    yield "a png with a script behind it", behind, None
    yield "a png whose data unpack to 200 MB more", png(100, 100, data=body), None
    yield "a png with a row of a hundred", png(100, 100, data=zlib.compress(bytes(301))), None
    yield "a png one can see through", encoded(meter(mode="RGBA"), "PNG"), None
    yield "a png with a palette", encoded(meter(mode="P"), "PNG", transparency=3), None
    yield "a webp with a script behind it", plain + riff(b"XMP ", PAYLOAD), None
    yield "a webp with a script inside", webp(plain[12:], riff(b"XMP ", PAYLOAD), riff(b"JUNK", PAYLOAD)), None
    yield "a webp one can see through", encoded(meter(mode="RGBA"), "WEBP"), None


def _hostile_notes():
    photo = jpeg()
    many = b"".join(struct.pack("<HHII", tag, 7, 60_000, 8) for tag in range(5_000))
    loop = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    nowhere = tiff(gps=[text(1, "N"), rationals(2, (1, 0), (0, 0), (5, 0)), text(3, "E"), rationals(4, (1, 0))])
    yield "a jpeg whose notes are rubbish", with_exif(photo, PAYLOAD), None
    yield "a jpeg whose notes name a script", with_exif(photo, tiff([text(0x010F, PAYLOAD.decode())])), None
    yield "a jpeg whose notes lead to themselves", with_exif(photo, loop), None
    yield "a jpeg whose notes lead beyond their end", with_exif(photo, b"MM\0*\xff\xff\xff\xf0"), None
    yield "a jpeg whose notes overlap a thousand times", with_exif(photo, b"II*\0\x08\0\0\0\x88\x13" + many), None
    yield "a jpeg that was taken nowhere", with_exif(photo, nowhere), None
    yield "a jpeg that lies on no side", with_exif(photo, tiff([entry(0x0112, 3, struct.pack("<H", 999))])), None
    yield "a webp whose notes are rubbish", webp(encoded(meter(), "WEBP")[12:], riff(b"EXIF", PAYLOAD)), None
    yield "a png whose notes are rubbish", png(100, 100, chunk(b"eXIf", PAYLOAD)), None
