"""The files that photos come in: how large the picture is, and the parts that make it, without decoding anything.

What a decoder is given afterwards is put together from those parts only. Comments, profiles, texts, further pictures
and whatever was hung on behind never reach it, so that nothing in them, however packed, can cost anything.

Sources: ITU-T T.81 annex B (JPEG), W3C PNG third edition, RFC 9649 (WebP).
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from field_ops.photos.refusals import Animated, Broken, Empty, HeicNotSupported, NotAccepted

# A scan of a JPEG costs time by the picture's pixels, however few bytes it has; cameras write 10 of them at most.
_MOST_SCANS = 20
_MOST_CHUNKS = 20_000
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@dataclass(frozen=True)
class Container:
    """A photo before it is decoded.

    ``is_streamed`` says that it can be decoded line by line, at a fraction of its size; otherwise all of it has to be
    held at once. ``picture`` is the file without what makes no picture, ``exif`` a TIFF structure, as it came.
    """

    kind: str
    width: int
    height: int
    is_streamed: bool
    picture: bytes
    exif: bytes = b""


def take_apart(data: bytes) -> Container:
    """Recognise a file by its content and take it apart.

    :raises Empty: there is nothing.
    :raises NotAccepted: it is something else.
    :raises HeicNotSupported: it is a HEIC, which only a library can take apart.
    :raises Broken: it ends too early or contradicts itself.
    :raises Animated: it moves.
    """
    if not data:
        raise Empty("The photo is empty.")
    for fits, read in _KINDS:
        if fits(data):
            return read(data)
    if is_heic(data):
        raise HeicNotSupported("HEIC cannot be read here: send the photo as a JPEG.")
    raise NotAccepted("A photo must be a JPEG, a PNG or a WebP.")


def is_heic(data: bytes) -> bool:
    """Tell whether a file says of itself that it is a HEIC."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_END, _SCAN, _ADOBE = 0xD9, 0xDA, 0xEE
_TABLES = {0xC4, 0xDB, 0xDD}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READABLE_FRAMES = {0xC0, 0xC1, 0xC2}
_PROGRESSIVE = 0xC2
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int
    body: bytes
    end: int


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield the marked parts of a JPEG up to its end; between them lie the scans."""
    position = 2
    for _ in range(_MOST_CHUNKS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        start, marker = found.start(), data[found.end() - 1]
        if marker == _END:
            yield _Segment(marker, start, b"", found.end())
            return
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        position = found.end() + length
        if length < 2 or position > len(data):
            break
        yield _Segment(marker, start, data[found.end() + 2 : position], position)
    raise Broken("The JPEG ends before its picture does.")


class _Jpeg:
    """What makes the picture of a JPEG, as its segments come by."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts = [b"\xff\xd8"]
        self._frame: _Segment | None = None
        self._scans = 0
        self._scan_start = 0
        self._has_all_in_one_scan = False
        self._exif = b""

    def read(self) -> Container:
        """Take the file apart."""
        for segment in _segments(self._data):
            self._end_scan(segment)
            if segment.marker in _FRAMES:
                self._take_frame(segment)
            elif segment.marker == _SCAN:
                self._take_scan(segment)
            elif segment.marker in _TABLES or segment.marker == _END or _is_adobe(segment):
                self._keep(segment)
            elif segment.marker == 0xE0 and segment.body.startswith(b"JFIF\0") and len(self._parts) == 1:
                self._parts.append(_JFIF)
            elif segment.marker == 0xE1 and segment.body.startswith(b"Exif\0\0"):
                self._exif = self._exif or segment.body[6:]
        if self._frame is None or not self._scans:
            raise Broken("The JPEG holds no picture.")
        height, width = struct.unpack(">HH", self._frame.body[1:5])
        is_streamed = self._frame.marker != _PROGRESSIVE and self._scans == 1 and self._has_all_in_one_scan
        return Container("JPEG", width, height, is_streamed, b"".join(self._parts), self._exif)

    def _take_frame(self, segment: _Segment) -> None:
        if self._frame is not None or segment.marker not in _READABLE_FRAMES or len(segment.body) < 6:
            raise Broken("The JPEG is of a kind that no camera writes.")
        self._frame = segment
        self._keep(segment)

    def _take_scan(self, segment: _Segment) -> None:
        self._scans += 1
        if self._frame is None or self._scans > _MOST_SCANS:
            raise Broken("The JPEG has a scan without a frame, or too many of them.")
        self._has_all_in_one_scan = segment.body[:1] == self._frame.body[5:6]
        self._keep(segment)
        self._scan_start = segment.end

    def _end_scan(self, segment: _Segment) -> None:
        if self._scan_start:
            self._parts.append(self._data[self._scan_start : segment.start])
            self._scan_start = 0

    def _keep(self, segment: _Segment) -> None:
        self._parts.append(self._data[segment.start : segment.end])


def _is_adobe(segment: _Segment) -> bool:
    return segment.marker == _ADOBE and len(segment.body) == 12 and segment.body.startswith(b"Adobe")


_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_PARTS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PNG_MOVES = {b"acTL", b"fcTL", b"fdAT"}
_WEBP_MOVES, _WEBP_ALPHA = 0x02, 0x10


def _png(data: bytes) -> Container:
    parts, exif = [_PNG_MAGIC], b""
    chunks = _png_chunks(data)
    for name, start, end in chunks:
        if name in _PNG_MOVES:
            raise Animated("The PNG is an animation.")
        if name == b"eXIf":
            exif = exif or data[start + 8 : end - 4]
        if (name == b"IHDR") != (len(parts) == 1):
            raise Broken("The PNG does not begin with its header, or has two of them.")
        if name in _PNG_PARTS:
            parts.append(data[start:end])
    width, height = struct.unpack(">II", parts[1][8:16].ljust(8, b"\0"))
    return Container("PNG", width, height, is_streamed=False, picture=b"".join(parts), exif=exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, and where it starts and ends."""
    end = len(_PNG_MAGIC)
    for _ in range(_MOST_CHUNKS):
        start = end
        length, name = struct.unpack(">I4s", data[start : start + 8].ljust(8, b"\0"))
        end = start + 12 + length
        if end > len(data):
            break
        yield name, start, end
        if name == b"IEND":
            return
    raise Broken("The PNG ends before its picture does.")


def _webp(data: bytes) -> Container:
    chunks = _webp_chunks(data)
    if b"ANIM" in chunks or b"ANMF" in chunks or (chunks.get(b"VP8X") or b"\0")[0] & _WEBP_MOVES:
        raise Animated("The WebP is an animation.")
    coded = b"VP8L" if b"VP8L" in chunks else b"VP8 "
    width, height = _webp_size(coded, chunks.get(coded, b""))
    body = _webp_chunk(coded, chunks[coded])
    if coded == b"VP8 " and b"ALPH" in chunks:
        canvas = struct.pack("<I", _WEBP_ALPHA) + _less_one(width) + _less_one(height)
        body = _webp_chunk(b"VP8X", canvas) + _webp_chunk(b"ALPH", chunks[b"ALPH"]) + body
    picture = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    exif = chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0")
    return Container("WEBP", width, height, is_streamed=False, picture=picture, exif=exif)


def _webp_chunks(data: bytes) -> dict[bytes, bytes]:
    """Return the first chunk of each name."""
    whole = 8 + int.from_bytes(data[4:8], "little")
    chunks: dict[bytes, bytes] = {}
    position = 12
    for _ in range(_MOST_CHUNKS):
        if position + 8 > whole:
            break
        name, length = struct.unpack("<4sI", data[position : position + 8].ljust(8, b"\0"))
        if position + 8 + length > min(whole, len(data)):
            raise Broken("The WebP ends before its picture does.")
        chunks.setdefault(name, data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return chunks


def _less_one(side: int) -> bytes:
    return (side - 1).to_bytes(3, "little")


def _webp_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _webp_size(coded: bytes, body: bytes) -> tuple[int, int]:
    if coded == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
        width, height = struct.unpack("<HH", body[6:10])
        if width & 0x3FFF and height & 0x3FFF:
            return width & 0x3FFF, height & 0x3FFF
    if coded == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        (bits,) = struct.unpack("<I", body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise Broken("The WebP holds no picture.")


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Container]], ...] = (
    (lambda data: data.startswith(b"\xff\xd8\xff"), lambda data: _Jpeg(data).read()),
    (lambda data: data.startswith(_PNG_MAGIC), _png),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
)
