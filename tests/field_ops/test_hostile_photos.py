"""Whatever is sent as a photo is refused with a code, or defused: what is stored is a picture and nothing else."""

import io
import re
import struct
import subprocess
import sys
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from field_ops.photos import PhotoRefused, Picture, pictures, read_photo
from tests.field_ops.hostile_photos import PAYLOAD, hostile_photos
from tests.field_ops.photo_files import encoded, meter

LARGEST = 10 * 2**20
# The largest that is taken needs some 250 MB for a moment; all that lies open to a sender stays within this.
MOST_MEBIBYTES = 400
_PARTS_OF_OURS = {0xE0, 0xDB, 0xC0, 0xC4, 0xDA, 0xD9}


def read(data: bytes) -> Picture:
    return read_photo(data, largest_bytes=LARGEST, zone=ZoneInfo("Asia/Singapore"))


def is_ours(data: bytes) -> bool:
    """Tell whether a file is a JPEG with the parts that make a picture, from its first byte to its last."""
    markers = [data[found.start() + 1] for found in re.finditer(rb"\xff[\x01-\xcf\xd9-\xfe]", data)]
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        is_plain = picture.format == "JPEG" and picture.mode == "RGB" and not picture.getexif()
        extra = set(picture.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    is_whole = data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9") and markers.count(0xD9) == 1
    return is_plain and is_whole and not extra and set(markers) <= _PARTS_OF_OURS


def assert_harmless(picture: Picture) -> None:
    for stored, side in ((picture.jpeg, 2_560), (picture.thumbnail, 320)):
        assert is_ours(stored)
        assert PAYLOAD[:12] not in stored
        assert PAYLOAD[-9:] not in stored
        with Image.open(io.BytesIO(stored)) as opened:
            assert max(opened.size) <= side
    with Image.open(io.BytesIO(picture.jpeg)) as opened:
        assert opened.size == (picture.width, picture.height)


def largest_that_are_taken():
    """Yield photos at the limits, whose decoding takes the most."""
    yield encoded(Image.fromarray(np.zeros((4_990, 5_000, 3), dtype=np.uint8)), "JPEG", progressive=True, subsampling=0)
    yield encoded(Image.new("RGB", (5_110, 5_110), "grey"), "JPEG", subsampling=0)
    yield encoded(Image.new("RGB", (8_160, 6_120), "grey"), "JPEG")
    yield encoded(Image.new("RGBA", (5_000, 5_000), "grey"), "PNG", compress_level=1)
    yield encoded(Image.new("RGBA", (4_000, 4_000), "grey"), "WEBP", method=0)


CASES = list(hostile_photos())


class TestHostilePhotos:
    @pytest.fixture(autouse=True)
    def without_the_extra(self, monkeypatch):
        monkeypatch.setattr(pictures, "_reads_heic", lambda: False)

    def test_are_a_hundred(self):
        assert len({name for name, _, _ in CASES}) == len(CASES) >= 100

    @pytest.mark.parametrize(
        ("data", "code"), [pytest.param(data, code, id=name) for name, data, code in CASES if code is not None]
    )
    def test_are_refused_with_a_code(self, data, code):
        with pytest.raises(PhotoRefused) as refusal:
            read(data)

        assert refusal.value.code == code
        assert refusal.value.status == 422

    @pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data, code in CASES if code is None])
    def test_are_defused(self, data):
        assert_harmless(read(data))

    def test_take_no_more_memory_than_is_set_aside(self):
        photos = [*(data for _, data, _ in CASES), *largest_that_are_taken()]
        sent = b"".join(struct.pack(">I", len(data)) + data for data in photos)

        worked = subprocess.run(
            [sys.executable, "-m", "tests.field_ops.photo_reader"],
            cwd=settings.BASE_DIR,
            input=sent,
            stdout=subprocess.PIPE,
            check=True,
        )

        taken, mebibytes = worked.stdout.split()
        assert int(taken) == sum(code is None for _, _, code in CASES) + 5
        assert 50 < float(mebibytes) < MOST_MEBIBYTES


class TestAnyBytes:
    @given(
        st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x99\0\0\0WEBP"])
    )
    def test_are_refused_or_a_picture(self, data, head):
        self.assert_refused_or_harmless(head + data)

    @given(st.data())
    def test_in_a_photo_are_refused_or_a_picture(self, data):
        kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
        photo = bytearray(_SMALL[kind])
        for place in data.draw(st.lists(st.integers(0, len(photo) - 1), min_size=1, max_size=8)):
            photo[place] = data.draw(st.integers(0, 255))

        self.assert_refused_or_harmless(bytes(photo))

    @staticmethod
    def assert_refused_or_harmless(data):
        try:
            picture = read(data)
        except PhotoRefused:
            return
        assert is_ours(picture.jpeg)


_SMALL = {kind: encoded(meter(64, 48), kind) for kind in ("JPEG", "PNG", "WEBP")}
