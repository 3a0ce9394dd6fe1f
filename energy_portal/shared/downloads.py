"""Files that go out while they are made, whole in nobody's memory."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

_PIECE_BYTES = 1 << 18


class StreamedFile(StreamingHttpResponse):
    """An attachment that is sent as its chunks are made, on the request's own thread.

    The first chunk is made at once, so that what cannot be written at all is still refused as usual.
    """

    def __init__(self, chunks: Iterable[bytes], *, name: str, content_type: str) -> None:
        rest = iter(chunks)
        first = list(islice(rest, 1))
        super().__init__(chain(first, rest), content_type=content_type)
        self["Content-Disposition"] = f'attachment; filename="{file_name(name)}"'

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = iter(self)
        while (chunk := await sync_to_async(_next)(chunks)) is not None:
            yield chunk


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def file_name(text: str) -> str:
    """Return a name that any system takes: what is neither an ASCII letter, a digit, a dot nor ``-_`` is left out."""
    return "".join(letter for letter in text if letter.isascii() and (letter.isalnum() or letter in "-_.")) or "file"


def pieces_of(path: Path) -> Iterator[bytes]:
    """Yield a file, piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
