"""Text in fonts that every reader of PDF has, so that none is embedded.

Latin text is set in Helvetica (Windows-1252), Chinese and Japanese in STSong, Korean in HYSMyeongJo, as PDF's
standard character collections name them. An accent that Windows-1252 lacks is dropped; any other character that no
font has becomes a question mark, and :func:`is_printable` says so beforehand.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont

LATIN, LATIN_BOLD = "Helvetica", "Helvetica-Bold"
HAN, HANGUL = "STSong-Light", "HYSMyeongJo-Medium"
UNPRINTABLE = "?"

_HAN_BLOCKS = ((0x2E80, 0x2FDF), (0x3000, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xFF00, 0xFFEF))
_HANGUL_BLOCKS = ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7A3))

for _face in (HAN, HANGUL):
    pdfmetrics.registerFont(UnicodeCIDFont(_face))


@dataclass(frozen=True)
class Run:
    """Text in one font."""

    font: str
    text: str


def runs(text: str, *, bold: bool = False) -> list[Run]:
    """Cut a text into runs of one font each, with every character printable."""
    glyphs = [_glyph(character, bold) for character in unicodedata.normalize("NFC", text)]
    return [
        Run(font, "".join(character for _, character in run))
        for font, run in groupby(glyphs, key=lambda glyph: glyph[0])
    ]


def is_printable(text: str) -> bool:
    """Tell whether no character of a text becomes a question mark."""
    return all(
        _glyph(character, bold=False)[1] != UNPRINTABLE or character == UNPRINTABLE
        for character in unicodedata.normalize("NFC", text)
    )


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Measure a text, in points."""
    return sum(float(pdfmetrics.stringWidth(run.text, run.font, size)) for run in runs(text, bold=bold))


def fit(text: str, size: float, limit: float, *, bold: bool = False) -> str:
    """Shorten a text with an ellipsis until it is no wider than ``limit`` points."""
    if width(text, size, bold=bold) <= limit:
        return text
    while text and width(f"{text}…", size, bold=bold) > limit:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrap(text: str, size: float, limit: float) -> Iterator[str]:
    """Break a text at spaces into lines no wider than ``limit`` points, and within a word that is wider."""
    line = ""
    for piece in chain.from_iterable(_pieces(word, size, limit) for word in text.split()):
        longer = f"{line} {piece}".strip()
        if line and width(longer, size) > limit:
            yield line
            longer = piece
        line = longer
    if line:
        yield line


def _pieces(word: str, size: float, limit: float) -> Iterator[str]:
    while len(word) > 1 and width(word, size) > limit:
        fitting = next((length for length in range(len(word) - 1, 1, -1) if width(word[:length], size) <= limit), 1)
        yield word[:fitting]
        word = word[fitting:]
    yield word


def _glyph(character: str, bold: bool) -> tuple[str, str]:
    latin = LATIN_BOLD if bold else LATIN
    if _is_latin(character):
        return latin, character
    if _is_within(character, _HAN_BLOCKS):
        return HAN, character
    if _is_within(character, _HANGUL_BLOCKS):
        return HANGUL, character
    if character.isspace():
        return latin, " "
    base = unicodedata.normalize("NFKD", character)[0]
    return latin, base if base != character and _is_latin(base) else UNPRINTABLE


def _is_latin(character: str) -> bool:
    if unicodedata.category(character) == "Cc":
        return False
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _is_within(character: str, blocks: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in blocks)
