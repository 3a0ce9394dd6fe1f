"""Photos as cameras make them: upright, small, comparable, and what the camera noted."""

import hashlib
import io
import struct
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from energy_portal.shared.errors import Unavailable
from field_ops.photos import PhotoRefused, bands_of, perceptual_hash_of, pictures, read_photo
from field_ops.photos.exif import Notes, read_notes
from tests.field_ops.photo_files import encoded, entry, jpeg, meter, rationals, text, tiff, with_exif

SITE = ZoneInfo("Asia/Singapore")
LARGEST = 10 * 2**20
MAKE, MODEL, ORIENTATION, TAKEN, OFFSET = 0x010F, 0x0110, 0x0112, 0x9003, 0x9011


def read(source):
    return read_photo(source, largest_bytes=LARGEST, zone=SITE)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def differing_bits(one: int, other: int) -> int:
    return ((one ^ other) & (2**64 - 1)).bit_count()


class TestReadPhoto:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_knows_a_kind_by_its_content(self, kind, tmp_path):
        file = tmp_path / "photo.gif"
        file.write_bytes(encoded(meter(), kind))

        picture = read(file)

        assert (picture.sent_format, picture.width, picture.height) == (kind, 640, 480)
        assert picture.sent_bytes == file.stat().st_size
        assert picture.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()

    def test_refuses_another_photo_than_was_announced(self, tmp_path):
        for source in (jpeg(), b"", tmp_path / "none"):
            with pytest.raises(PhotoRefused) as refusal:
                read_photo(source, largest_bytes=LARGEST, zone=SITE, sha256="0" * 64)

            assert refusal.value.code == "photo_checksum"

    def test_makes_a_large_photo_smaller_in_its_shape(self):
        picture = read(jpeg(4_000, 3_000))

        assert opened(picture.jpeg).size == (picture.width, picture.height) == (2_560, 1_920)
        assert opened(picture.thumbnail).size == (320, 240)

    def test_shows_what_was_sent(self):
        photo = meter(2_000, 1_500)

        shown = opened(read(encoded(photo, quality=95)).jpeg)

        assert np.abs(np.asarray(shown, float) - np.asarray(photo, float)).mean() < 3

    @pytest.mark.parametrize(
        ("orientation", "turned"),
        [(1, None), *((number, pictures._UPRIGHT[number]) for number in range(2, 9))],
    )
    def test_turns_a_photo_upright(self, orientation, turned):
        upright = meter()
        backwards = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270}
        backwards |= {there: back for back, there in backwards.items()}
        as_sent = upright if turned is None else upright.transpose(backwards.get(turned, turned))
        exif = tiff([entry(ORIENTATION, 3, struct.pack("<H", orientation))])

        shown = opened(read(with_exif(encoded(as_sent, quality=95), exif)).jpeg)

        assert shown.size == upright.size
        assert np.abs(np.asarray(shown, float) - np.asarray(upright, float)).mean() < 4

    def test_keeps_the_levels_of_16_bits_of_grey(self):
        levels = (np.linspace(0, 65_535, 200)[None, :] * np.ones((100, 1))).astype(np.uint16)

        shown = np.asarray(opened(read(encoded(Image.fromarray(levels), "PNG")).jpeg).convert("L"), float)

        assert np.abs(shown - levels / 257).max() < 6

    def test_shows_white_where_one_can_see_through(self):
        glass = Image.new("RGBA", (100, 100), (0, 0, 0, 0))

        assert opened(read(encoded(glass, "PNG")).jpeg).getpixel((50, 50)) == (255, 255, 255)

    def test_takes_a_heic_where_the_extra_is_installed(self):
        pytest.importorskip("pillow_heif").register_heif_opener()
        exif = tiff([text(MODEL, "X1"), entry(ORIENTATION, 3, struct.pack("<H", 6))])

        picture = read(encoded(meter(), "HEIF", exif=b"Exif\0\0" + exif))

        assert (picture.sent_format, picture.notes.camera) == ("HEIF", "X1")
        assert (picture.width, picture.height) == (480, 640)

    def test_lets_two_be_decoded_at_once(self, monkeypatch):
        monkeypatch.setattr(pictures, "_LONGEST_WAIT_SECONDS", 0.01)
        both_inside, done = threading.Barrier(3), threading.Event()
        decode = pictures._decoded

        def slow(container):
            both_inside.wait(timeout=30)
            done.wait(timeout=30)
            return decode(container)

        monkeypatch.setattr(pictures, "_decoded", slow)
        threads = [threading.Thread(target=read, args=(jpeg(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        both_inside.wait(timeout=30)

        with pytest.raises(Unavailable) as refusal:
            read(jpeg())

        assert refusal.value.code == "photos_busy"
        done.set()
        for thread in threads:
            thread.join()
        monkeypatch.setattr(pictures, "_decoded", decode)
        assert read(jpeg()).width == 640


class TestPerceptualHash:
    @pytest.mark.parametrize(
        "change",
        [
            lambda photo: photo.resize((400, 300)),
            lambda photo: ImageEnhance.Brightness(photo).enhance(1.15),
            lambda photo: opened(encoded(photo, quality=30)),
            lambda photo: photo.crop((4, 4, 636, 476)),
        ],
        ids=["smaller", "brighter", "coarser", "cropped a little"],
    )
    def test_stays_within_seven_bits_of_the_same_photo(self, change):
        original = read(encoded(meter())).perceptual_hash
        again = read(encoded(change(meter()))).perceptual_hash

        assert differing_bits(original, again) < 8

    def test_differs_between_meters(self):
        hashes = [read(jpeg(seed=seed)).perceptual_hash for seed in range(12)]

        distances = [differing_bits(one, other) for place, one in enumerate(hashes) for other in hashes[:place]]
        assert min(distances) > 7

    def test_is_there_in_poor_light(self):
        for seed in range(5):
            dim = meter(seed=seed).point(lambda level: level * 0.1)

            assert read(encoded(dim)).perceptual_hash is not None

    @pytest.mark.parametrize("noise", [0, 3, 15])
    @pytest.mark.parametrize("level", [0, 8, 128, 250])
    def test_is_none_where_there_is_nothing_to_see(self, level, noise):
        levels = np.random.default_rng(1).normal(level, noise, (480, 640, 3))
        photo = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))

        picture = read(encoded(photo))

        assert picture.perceptual_hash is None
        assert picture.bands == ()

    def test_is_none_of_a_wall_that_is_lit_from_one_side(self):
        levels = np.tile(np.linspace(90, 170, 640), (480, 1)).astype(np.uint8)

        assert perceptual_hash_of(Image.fromarray(levels)) is None

    @given(st.integers(-(2**63), 2**63 - 1), st.sets(st.integers(0, 63), max_size=7))
    def test_shares_a_band_with_every_hash_of_fewer_than_eight_other_bits(self, one, flipped):
        other = (one & (2**64 - 1)) ^ sum(1 << bit for bit in flipped)
        other -= (other >> 63) << 64

        assert set(bands_of(one)) & set(bands_of(other))

    @given(st.integers(-(2**63), 2**63 - 1))
    def test_has_eight_bands_each_of_its_place(self, number):
        assert [band // 256 for band in bands_of(number)] == list(range(8))


class TestNotes:
    def notes(self, *main, **more) -> Notes:
        return read_notes(tiff(main, **more), zone=SITE)

    def gps(self, latitude, longitude, *, north="N", east="E") -> tuple[float | None, float | None]:
        entries = [text(1, north), rationals(2, *latitude), text(3, east), rationals(4, *longitude)]
        notes = self.notes(gps=entries)
        return notes.latitude, notes.longitude

    def test_are_read_from_every_kind(self):
        exif = tiff([text(MAKE, "Maker"), text(MODEL, "One")])
        options = {"exif": b"Exif\0\0" + exif}

        for kind in ("JPEG", "PNG", "WEBP"):
            assert read(encoded(meter(), kind, **options)).notes.camera == "Maker One"

    def test_tell_when_by_the_cameras_own_offset(self):
        taken = self.notes(taken=[text(TAKEN, "2025:03:10 14:30:00"), text(OFFSET, "+02:00")]).taken_at

        assert taken == datetime(2025, 3, 10, 12, 30, tzinfo=UTC)
        assert taken.utcoffset() == timedelta(0)

    def test_tell_when_by_the_sites_zone_otherwise(self):
        for offset in ([], [text(OFFSET, "+99:00")], [text(OFFSET, "noon")]):
            taken = self.notes(taken=[text(TAKEN, "2025:03:10 14:30:00"), *offset]).taken_at
            assert taken == datetime(2025, 3, 10, 6, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        "value",
        ["0000:00:00 00:00:00", "2025:02:30 10:00:00", "1066:10:14 09:00:00", "9999:12:31 23:59:59", "soon", ""],
    )
    def test_do_not_tell_an_impossible_time(self, value):
        assert self.notes(taken=[text(TAKEN, value)]).taken_at is None

    def test_tell_where(self):
        latitude, longitude = self.gps([(1, 1), (17, 1), (4224, 100)], [(103, 1), (51, 1), (0, 1)])

        assert latitude == pytest.approx(1 + 17 / 60 + 42.24 / 3_600)
        assert longitude == pytest.approx(103.85)
        assert self.gps([(33, 1), (30, 1), (0, 1)], [(70, 1), (15, 1), (0, 1)], north="S", east="W") == (-33.5, -70.25)

    @pytest.mark.parametrize(
        ("latitude", "north"),
        [
            ([(1, 0), (0, 1), (0, 1)], "N"),
            ([(0, 0), (0, 0), (0, 0)], "N"),
            ([(91, 1), (0, 1), (0, 1)], "N"),
            ([(90, 1), (0, 1), (1, 1)], "N"),
            ([(1, 1), (60, 1), (0, 1)], "N"),
            ([(1, 1), (0, 1), (4_294_967_295, 1)], "N"),
            ([(1, 1), (0, 1)], "N"),
            ([(1, 1), (0, 1), (0, 1)], "X"),
            ([(1, 1), (0, 1), (0, 1)], ""),
        ],
    )
    def test_do_not_tell_an_impossible_place(self, latitude, north):
        assert self.gps(latitude, [(103, 1), (51, 1), (0, 1)], north=north) == (None, None)

    def test_take_zeros_for_no_fix(self):
        assert self.gps([(0, 1)] * 3, [(0, 1)] * 3) == (None, None)

    @pytest.mark.parametrize(
        ("make", "model", "camera"),
        [
            ("Maker", "Maker X1", "Maker X1"),
            ("", "X1", "X1"),
            ("Maker", "", "Maker"),
            ("a\tb\x1b[31m", "\u202ex", "a b [31m x"),
            ("m" * 250, "n", "m" * 200),
        ],
    )
    def test_name_the_camera_in_one_line(self, make, model, camera):
        assert self.notes(text(MAKE, make), text(MODEL, model)).camera == camera

    def test_read_the_order_of_bytes_that_the_file_states(self):
        exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", ORIENTATION, 3, 1, 6, 0) + bytes(4)

        assert read_notes(exif, zone=SITE).orientation == 6

    @given(st.binary(max_size=400), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""]))
    def test_come_of_any_bytes(self, rest, head):
        notes = read_notes(head + rest, zone=SITE)

        assert notes.orientation in range(1, 9)
        assert (notes.latitude is None) == (notes.longitude is None)
        assert notes.latitude is None or -90 <= notes.latitude <= 90

    @given(st.lists(st.tuples(*[st.integers(0, 2**32 - 1)] * 2), min_size=3, max_size=3), st.text(max_size=20))
    def test_come_of_any_values(self, place, clock):
        notes = self.notes(
            taken=[text(TAKEN, clock)], gps=[text(1, "S"), rationals(2, *place), text(3, "W"), rationals(4, *place)]
        )

        assert notes.latitude is None or -90 <= notes.latitude <= 0
        assert notes.taken_at is None or 1989 <= notes.taken_at.year <= 2100
