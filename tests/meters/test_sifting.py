"""A batch's usual rows read as columns: nothing that a row by itself would be is different."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.actors import PORTAL
from meters.models import Meter, Register, RegisterReading
from meters.services import sifting
from meters.services.readings import Offer, receive_columns
from meters.validation import are_plain, is_plain, parse_value
from tests.factories import MeterFactory, supplied_register

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)


class TestPlainNumbers:
    @given(st.text(alphabet="0123456789.-+eE_ \n\u0663", max_size=18) | st.decimals().map(str) | st.floats().map(str))
    def test_are_exactly_what_they_are_when_read_one_by_one(self, text):
        (scaled,) = sifting._millionths([text]).tolist()

        if scaled >= 0:
            assert Decimal(scaled).scaleb(-6) == parse_value(text)
        else:
            assert not is_plain(text)

    @given(st.integers(0, 10**15 - 1))
    def test_keep_every_digit(self, millionths):
        assert sifting._millionths([format(Decimal(millionths).scaleb(-6), "f")]).tolist() == [millionths]

    @given(st.lists(st.sampled_from(["1", "2.5", "x", "1\n2", "", "3e4"]), max_size=5))
    def test_are_told_together_as_one_by_one(self, texts):
        assert are_plain(texts) == all(map(is_plain, texts))


@pytest.mark.django_db
class TestColumns:
    def receive(self, *rows):
        """Receive rows of (serial, stamp, value, code, quality, unit), together and then one by one."""
        return receive_columns(offer=Offer(*map(list, zip(*rows, strict=True))), actor=PORTAL, now=NOW)

    def test_take_what_is_usual_beside_what_is_not(self):
        dial, interval, gone = supplied_register(), supplied_register(kind=Register.Kind.INTERVAL), MeterFactory()
        supplied_register(meter=gone)
        Meter.objects.filter(pk=gone.pk).update(status=Meter.Status.INACTIVE)
        stamp = "2025-03-01T10:00:00+08:00"
        serial = dial.meter.serial

        report = self.receive(
            (serial, stamp, 1, "1.8.0", None, None),
            (serial, "2025-03-01T10:30:00+08:00", "2.5", "1.8.0", 18, "kWh"),
            (interval.meter.serial, stamp, Decimal("6.9"), "1.8.0", 17, ""),
            (serial, [], 3, "1.8.0", None, None),
            ([], stamp, 3, "1.8.0", None, None),
            (serial, stamp, {}, "1.8.0", None, None),
            (serial, stamp, 3, 180, None, None),
            (serial, stamp, 3, "1.8.0", 17.0, None),
            (serial, stamp, 3, "1.8.0", None, ["kWh"]),
            (serial, stamp, 3, "1.8.0", None, "m³"),
            (gone.serial, stamp, 3, "1.8.0", None, None),
            ('no"bo\\dy', stamp, 3, "1.8.0", None, None),
            ("\x00", stamp, 3, "1.8.0", None, None),
        )

        assert report.stored == 3
        assert [(each.index, each.code) for each in report.rejected] == [
            (3, "malformed"),
            (4, "malformed"),
            (5, "not_a_number"),
            (6, "malformed"),
            (7, "unknown_quality"),
            (8, "malformed"),
            (9, "wrong_unit"),
            (10, "inactive_meter"),
            (11, "unknown_meter"),
            (12, "unknown_meter"),
        ]
        assert set(RegisterReading.objects.values_list("value", "quality")) == {
            (Decimal(1), 17),
            (Decimal("2.5"), 18),
            (Decimal("6.9"), 17),
        }

    def test_find_meters_whose_names_need_care(self):
        names = ['a "b"', "c\\d", "{e,f}", "g'h"]
        for name in names:
            supplied_register(meter=MeterFactory(serial=name))

        report = self.receive(*((name, "2025-03-01T10:00:00+08:00", 1, "1.8.0", None, None) for name in names))

        assert (report.stored, report.rejected) == (4, ())

    def test_keep_the_stamps_that_name_another_instant(self):
        register = supplied_register()

        self.receive(
            (register.meter.serial, "2025-03-01T23:30:00", 1, "1.8.0", None, None),
            (register.meter.serial, "2025-03-01T23:59:00", 2, "1.8.0", None, None),
        )

        stamps = RegisterReading.objects.order_by("time").values_list("raw_stamp", flat=True)
        assert list(stamps) == [None, "2025-03-01T23:59:00"]

    def test_judge_two_zones_each_by_its_own_clock(self):
        here, there = supplied_register(), supplied_register()
        premises = there.meter.installations.get().service_point.premises
        premises.zone = "Asia/Kathmandu"
        premises.save()

        rows = [(each.meter.serial, "2025-03-01T10:00:00Z", 1, "1.8.0", None, None) for each in (here, there)]
        report = self.receive(*rows)

        assert (report.stored, [each.code for each in report.rejected]) == (1, ["off_mark"])
