"""Who lives in the demo data, what their meters counted, and what happened to them on the way; no Django."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_portal.management.demo.climate import HALF_HOURS_A_DAY, calendar
from energy_portal.management.demo.households import Archetype, half_hourly_watt_hours

SEED = 20_260_101
HALF_HOUR = timedelta(minutes=30)
MODULUS_WH = 10**9
_PEOPLE = (
    ("Tan Wei Ling", (("Lim Jun Hao", "spouse"), ("Lim Jia En", "daughter"))),
    ("Muhammad Faizal", (("Nur Aisyah", "spouse"),)),
    ("Priya Raghunathan", ()),
    ("Wong Kah Meng", (("Wong Li Ting", "sister"),)),
    ("Siti Khadijah", (("Ahmad Rizal", "spouse"), ("Iman Rizal", "son"))),
    ("Daniel Chua", ()),
    ("Kavitha Selvam", (("Arun Selvam", "spouse"),)),
    ("Ng Boon Keat", (("Ng Mei Fong", "mother"),)),
    ("Rachel D'Souza", ()),
    ("Goh Zhi Xuan", (("Goh Siew Eng", "mother"),)),
    ("Hafiz Abdullah", (("Farah Hafiz", "spouse"), ("Adam Hafiz", "son"))),
    ("Chen Yu Ting", ()),
    ("Vikram Nair", (("Anjali Nair", "spouse"),)),
    ("Joanne Teo", (("Marcus Teo", "spouse"), ("Emma Teo", "daughter"))),
    ("Zulkifli Hamid", ()),
    ("Lee Cheng Hock", (("Lee Mui Hua", "spouse"),)),
    ("Deepa Krishnan", (("Rohan Krishnan", "son"),)),
    ("Ong Xin Yi", ()),
    ("Rosnah Jaafar", (("Halim Osman", "spouse"),)),
    ("Patrick Oliveiro", (("Clare Oliveiro", "spouse"),)),
    ("Yeo Kok Wai", ()),
    ("Shanti Devi", (("Mohan Raj", "spouse"), ("Kiran Mohan", "son"))),
    ("Low Jia Hui", ()),
    ("Amirul Hakim", (("Nadia Amirul", "spouse"),)),
)
_STREETS = (
    ("Tampines Street 81", 520_801),
    ("Bedok North Avenue 3", 460_402),
    ("Clementi Avenue 2", 120_302),
    ("Toa Payoh Lorong 5", 310_005),
    ("Punggol Field Walk", 820_130),
    ("Ang Mo Kio Avenue 10", 560_410),
)
_ARCHETYPES = tuple(Archetype)
# In the first household something of 700 W has been left on since ten yesterday: what is unusual shows with it.
_LEFT_ON_WH = 350
_LEFT_ON_FROM = 20
_DAYS_TO_KNOW_IT = 28


@dataclass(frozen=True)
class Gap:
    """Marks of a meter that never arrived: from ``first`` for ``count`` half-hours."""

    first: int
    count: int


@dataclass(frozen=True)
class Household:
    """An account, its meter, and what the meter's dial showed.

    ``dial_wh`` has one value a mark, Wh, from the first local midnight to now; it may pass the dial's modulus.
    ``exchanged_at`` and ``new_tenant_at`` are positions in it.
    """

    number: str
    owner_name: str
    family: tuple[tuple[str, str], ...]
    email: str
    address: str
    archetype: Archetype
    serial: str
    dial_wh: NDArray[np.int64]
    gaps: tuple[Gap, ...] = ()
    exchanged_at: int | None = None
    new_tenant_at: int | None = None
    resends: bool = False

    def shown(self, mark: int) -> Decimal:
        """Return what the dial shows at a mark, kWh, rolled over where it is full."""
        return Decimal(int(self.dial_wh[mark]) % MODULUS_WH).scaleb(-3)

    def arrives(self) -> NDArray[np.bool_]:
        """Tell for each mark whether its reading reached the portal."""
        there = np.ones(len(self.dial_wh), dtype=np.bool_)
        for gap in self.gaps:
            there[gap.first : gap.first + gap.count] = False
        return there


@dataclass(frozen=True)
class Cast:
    """All households, and the instants, UTC, of the marks of their dials."""

    households: tuple[Household, ...]
    marks: tuple[datetime, ...]
    zone: ZoneInfo = field(repr=False)


def cast_of(*, accounts: int, days: int, now: datetime, zone: ZoneInfo) -> Cast:
    """Make up the households; the same arguments give the same ones.

    :param days: local days of history before today, of a zone whose clock does not change.
    :param now: aware; the last mark is the half-hour at or before it.
    """
    local_now = now.astimezone(zone)
    first_day = local_now.date() - timedelta(days=days)
    start = datetime.combine(first_day, time(), tzinfo=zone).astimezone(UTC)
    count = int((now - start) / HALF_HOUR) + 1
    marks = tuple(start + number * HALF_HOUR for number in range(count))
    weather = calendar([first_day + timedelta(days=n) for n in range(days + 1)], np.random.default_rng(SEED))
    months = _month_starts(marks, zone)
    households = []
    for number in range(accounts):
        rng = np.random.default_rng((SEED, number))
        archetype = Archetype.FAMILY if number == 0 else _ARCHETYPES[number % len(_ARCHETYPES)]
        use = half_hourly_watt_hours(archetype, weather, rng, size=float(rng.uniform(0.85, 1.5)))
        if number == 0 and days >= _DAYS_TO_KNOW_IT:
            use[(days - 1) * HALF_HOURS_A_DAY + _LEFT_ON_FROM :] += _LEFT_ON_WH
        dial = int(rng.integers(1_200_000, 48_000_000)) + np.concatenate(([0], np.cumsum(use)))[:count]
        households.append(_household(number, archetype, dial, months, rng))
    return Cast(households=tuple(households), marks=marks, zone=zone)


def _household(
    number: int, archetype: Archetype, dial: NDArray[np.int64], months: list[int], rng: np.random.Generator
) -> Household:
    """Give a household its people, its place and its story."""
    owner, family = _PEOPLE[number % len(_PEOPLE)]
    street, postal_code = _STREETS[number % len(_STREETS)]
    block, floor, unit = 100 + 7 * number, int(rng.integers(2, 25)), int(rng.integers(100, 400))
    count = len(dial)
    if number == 2:
        dial = dial + (MODULUS_WH - int(dial[count * 2 // 3]) - 1)
    return Household(
        number=f"A-{1001 + number}",
        owner_name=owner if number < len(_PEOPLE) else f"{owner} ({number + 1})",
        family=family,
        email=f"{'.'.join(owner.lower().replace(chr(39), '').split())}.{number + 1}@example.org",
        address=f"Block {block} {street} #{floor:02d}-{unit}, Singapore {postal_code + 7 * number:06d}",
        archetype=archetype,
        serial=f"SG-{300_117 + 37 * number:06d}",
        dial_wh=dial,
        gaps=_gaps(number, count, months, rng),
        exchanged_at=count * 2 // 5 + 3 if number == 1 else None,
        new_tenant_at=_new_tenant(months, count) if number == 3 else None,
        resends=number == 5,
    )


def _gaps(number: int, count: int, months: list[int], rng: np.random.Generator) -> tuple[Gap, ...]:
    """Lose a few hours here and there; the first household loses least, since everybody looks at it."""
    gaps = [Gap(int(rng.integers(1, max(2, count - 60))), int(rng.integers(1, 9))) for _ in range(number % 4)]
    # A story never loses the marks on which a bill rests, but for the two that are there to show it.
    gaps = [gap for gap in gaps if not any(gap.first <= month < gap.first + gap.count for month in months)]
    if number == 0:
        gaps = [Gap(max(1, count - 48 * 9), 3)]
    if number == 4:
        gaps.append(Gap(count // 3, 60))
        gaps += [Gap(month - 1, 3) for month in months[-2:-1]]
    if number == 6:
        gaps += [Gap(month - 30, 80) for month in months[-1:] if month > 30]
    if number == 7:
        gaps.append(Gap(count - min(count - 1, 100), 100))
    return tuple(gaps)


def _month_starts(marks: tuple[datetime, ...], zone: ZoneInfo) -> list[int]:
    """Return the positions, but for the first, at which a local month begins."""
    midnights = range(HALF_HOURS_A_DAY, len(marks), HALF_HOURS_A_DAY)
    return [position for position in midnights if marks[position].astimezone(zone).day == 1]


def _new_tenant(months: list[int], count: int) -> int:
    """Move in at ten in the morning of some day in the middle of a month, about half-way."""
    middle = months[len(months) // 2] if months else count // 2 // HALF_HOURS_A_DAY * HALF_HOURS_A_DAY
    position = middle + 11 * HALF_HOURS_A_DAY + 20
    return position if position < count - HALF_HOURS_A_DAY else count // 2


def first_day_of(cast: Cast) -> date:
    """Return the first local day of the demo data."""
    return cast.marks[0].astimezone(cast.zone).date()
