"""Drawings of meters in place of the demo's photos: plainly drawn, no two alike; no Django."""

import io
from datetime import datetime
from decimal import Decimal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CAMERA = "Drawn for the demo"
_SIZE = (960, 720)
_WHOLE_DIGITS, _DECIMALS = 6, 3
_MODEL, _SUB_DIRECTORY, _TAKEN_AT, _OFFSET = 0x0110, 0x8769, 0x9003, 0x9011
_INK, _PAPER, _DIAL, _FRACTION = (25, 30, 35), (240, 238, 228), (20, 22, 24), (150, 30, 30)


def meter_drawing(*, serial: str, value: Decimal, taken_at: datetime) -> bytes:
    """Draw a meter's plate with its serial and what its dial shows, as a JPEG that says when it was made.

    :param value: kWh, as shown.
    :param taken_at: on the clock of the place.
    """
    rng = np.random.default_rng(tuple(serial.encode()))
    picture = _wall(rng)
    draw = ImageDraw.Draw(picture)
    left, top = (int(number) for number in rng.uniform((40, 60), (300, 240)))
    draw.rounded_rectangle((left, top, left + 600, top + 380), 28, fill=_PAPER, outline=_INK, width=6)
    draw.text((left + 40, top + 30), "kWh", _INK, font=_font(44))
    _draw_dial(draw, left + 40, top + 110, value)
    draw.text((left + 40, top + 280), f"No. {serial}", _INK, font=_font(48))
    draw.text((20, _SIZE[1] - 40), "A drawing, not a photo", _PAPER, font=_font(28), stroke_width=2, stroke_fill=_INK)
    return _written(picture, taken_at)


def _wall(rng: np.random.Generator) -> Image.Image:
    """Draw what stands around a meter: a wall in some colour, pipes, boxes and shadows."""
    picture = Image.new("RGB", _SIZE, tuple(int(shade) for shade in rng.integers(60, 200, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y = rng.uniform(-0.2, 0.9, 2) * _SIZE
        wide, high = rng.uniform(0.1, 0.6, 2) * _SIZE
        draw.rectangle((x, y, x + wide, y + high), fill=tuple(int(shade) for shade in rng.integers(20, 235, 3)))
    return picture


def _draw_dial(draw: ImageDraw.ImageDraw, left: int, top: int, value: Decimal) -> None:
    digits = f"{value:0{_WHOLE_DIGITS + _DECIMALS + 1}.{_DECIMALS}f}".replace(".", "")
    for place, digit in enumerate(digits):
        x = left + place * 57
        fill = _DIAL if place < _WHOLE_DIGITS else _FRACTION
        draw.rectangle((x, top, x + 52, top + 100), fill=fill)
        draw.text((x + 26, top + 50), digit, _PAPER, font=_font(72), anchor="mm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _written(picture: Image.Image, taken_at: datetime) -> bytes:
    exif = Image.Exif()
    exif[_MODEL] = CAMERA
    moment = exif.get_ifd(_SUB_DIRECTORY)
    moment[_TAKEN_AT], moment[_OFFSET] = (
        f"{taken_at:%Y:%m:%d %H:%M:%S}",
        f"{taken_at:%z}"[:3] + ":" + f"{taken_at:%z}"[3:],
    )
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=82, exif=exif)
    return file.getvalue()
