"""Totals of files such as markets send, confirmed by readers that share no code with the portal."""

import csv
import gzip
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import aemo_mdff_reader
import defusedxml.ElementTree
import pytest
from django.db.models import Sum

from accounts.actors import PORTAL
from meters.models import RegisterReading
from meters.services.file_imports import ImportOptions, import_file

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
ESPI = {"espi": "http://naesb.org/espi"}

pytestmark = pytest.mark.django_db


def stream(suffix, minutes, *days, unit="kWh", serial="METER1", configuration="E1B1"):
    count = 1_440 // minutes
    lines = [f"200,NMI0000001,{configuration},1,{suffix},N1,{serial},{unit},{minutes},"]
    for number, (flag, *quality_records) in enumerate(days, start=1):
        values = ",".join(f".{(place * number) % 997:03}" for place in range(count))
        lines += [f"300,2025030{number},{values},{flag},,,20250309000000,", *quality_records]
    return lines


NEM12_FILES = {
    "half-hours": ["100,NEM12,202503100000,MDP,RET", *stream("E1", 30, ["A"], ["A"]), "900"],
    "no header": stream("E1", 30, ["A"], unit="KWH"),
    "quarter-hours": [*stream("E1", 15, ["A"], ["S14"]), *stream("B1", 15, ["A"])],
    "five minutes": stream("E1", 5, ["A"], ["E17"], ["A"]),
    "watt-hours": stream("E1", 30, ["A"], unit="Wh"),
    "two parts": [
        *stream("E1", 30, ["A"], configuration="E1E2"),
        *stream("E2", 30, ["A"], configuration="E1E2"),
    ],
    "varying": stream("E1", 30, ["V", "400,1,20,A,,", "400,21,40,S17,,", "400,41,48,E16,,"], ["A"]),
    "reactive beside": [*stream("E1", 30, ["A"]), *stream("Q1", 30, ["A"], unit="kVArh")],
}


def take(body, name="file", **options):
    return import_file(
        file=BytesIO(body), name=name, options=ImportOptions(create_meters=True, **options), actor=PORTAL, now=NOW
    )


def portal_total(direction="import"):
    return RegisterReading.objects.filter(register__direction=direction).aggregate(total=Sum("value"))["total"]


class TestNem12:
    @pytest.mark.parametrize("name", NEM12_FILES)
    def test_adds_up_to_what_another_reader_finds(self, name):
        lines = NEM12_FILES[name]
        scale = {"wh": Decimal("0.001"), "kwh": Decimal(1)}
        found = [
            (each.nmi_suffix[0], Decimal(str(each.value)) * scale[each.uom.casefold()])
            for each in aemo_mdff_reader.parse(lines)
            if each.uom.casefold() in scale
        ]

        take("\n".join(lines).encode())

        assert portal_total() == sum(value for suffix, value in found if suffix == "E")
        assert (portal_total("export") or 0) == sum(value for suffix, value in found if suffix == "B")


class TestGreenButton:
    def test_adds_up_to_what_an_xpath_finds(self):
        readings = "".join(
            f"<IntervalReading><timePeriod><duration>900</duration><start>{1_740_787_200 + 900 * place}</start>"
            f"</timePeriod><value>{100 + place}</value></IntervalReading>"
            for place in range(96)
        )
        body = (
            '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="self" href="/UsagePoint/1"/><title>M1</title>'
            '<content><UsagePoint xmlns="http://naesb.org/espi"/></content></entry>'
            '<entry><link rel="self" href="/ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi">'
            "<accumulationBehaviour>4</accumulationBehaviour><uom>72</uom><flowDirection>1</flowDirection>"
            "<powerOfTenMultiplier>0</powerOfTenMultiplier></ReadingType></content></entry>"
            '<entry><link rel="self" href="/UsagePoint/1/MeterReading/1"/>'
            '<link rel="up" href="/UsagePoint/1/MeterReading"/><link rel="related" href="/ReadingType/1"/>'
            '<content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>'
            '<entry><link rel="up" href="/UsagePoint/1/MeterReading/1/IntervalBlock"/>'
            f'<content><IntervalBlock xmlns="http://naesb.org/espi">{readings}</IntervalBlock></content></entry></feed>'
        ).encode()

        report = take(body)

        values = defusedxml.ElementTree.fromstring(body).findall(".//espi:IntervalReading/espi:value", ESPI)
        assert (report.stored, report.is_whole) == (48, True)
        assert portal_total() == sum(Decimal(value.text) for value in values) / 1000


class TestDemand:
    def test_adds_up_to_the_mean_power_of_its_half_hours(self):
        rows = [
            (f"2025-03-{1 + place // 48:02}", f"{place % 48 // 2:02}:{place % 2 * 30:02}", f"{4500 + place}.68")
            for place in range(96)
        ]
        text = "date,period_ending_time,mw\n" + "".join(",".join(row) + "\n" for row in rows)

        report = take(
            gzip.compress(text.encode()),
            name="demand.csv.gz",
            columns={"time": "date+period_ending_time", "value": "mw"},
            serial="SYSTEM",
            unit="kWh",
            scale="500",
            interval_minutes=30,
        )

        assert report.is_whole
        assert portal_total() == sum(Decimal(row["mw"]) for row in csv.DictReader(text.splitlines())) * 500
