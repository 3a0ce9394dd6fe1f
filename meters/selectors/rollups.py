"""What days that were summed ahead say of stretches, and what of the stretches is left to be measured by curves."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from energy_portal.shared.clock import Period
from meters import store
from meters.consumption import Energy, total
from meters.selectors.flows import CountedRegister, Stay
from meters.store.days import DayStretch, DaySum


@dataclass(frozen=True)
class Stretch:
    """A part of a period in which a chain of stays at one place counts."""

    period: Period
    stays: Sequence[Stay]


@dataclass(frozen=True)
class Amount:
    """An energy, and the same in kWh, None where it has none."""

    energy: Energy
    kwh: Decimal | None


@dataclass
class Rolled:
    """What whole days add up to: in all, and by the place of the piece of the axis in which they lie.

    ``rest`` is what they do not tell.
    """

    whole: Amount | None = None
    pieces: dict[int, Amount] = field(default_factory=dict)
    rest: list[Stretch] = field(default_factory=list)


@dataclass(frozen=True)
class _Share:
    """A register whose days stand for a stay in a stretch, and what has to be measured where they do not tell."""

    group: int
    stretch: Stretch
    register: CountedRegister
    measured: Stay


def rolled_up(groups: Sequence[Sequence[Stretch]], units: Sequence[str], pieces: Sequence[Period]) -> list[Rolled]:
    """Return what days tell of groups of stretches, each in its unit. One query.

    :param groups: the stretches of each group, the registers of their stays scaled to the group's unit.
    :param pieces: of the axis, in order, touching; one at least.
    """
    found = [Rolled() for _ in groups]
    shares = [
        share
        for number, stretches in enumerate(groups)
        for stretch in stretches
        for share in _shares(number, stretch, found[number])
    ]
    if not shares:
        return found
    sums = store.days.sums_of_days(
        [_asked(share, units[share.group]) for share in shares], [(piece.start, piece.end) for piece in pieces]
    )
    for place, gaps in sums.gaps.items():
        share = shares[place]
        found[share.group].rest += (Stretch(Period(*gap), (share.measured,)) for gap in gaps)
    by_group: dict[int, list[DaySum]] = defaultdict(list)
    for each in sums.sums:
        by_group[each.group].append(each)
    for number, own in by_group.items():
        found[number].pieces = {each.piece: _amount(each) for each in own}
        found[number].whole = _added(found[number].pieces.values())
    return found


def together(groups: Sequence[Rolled]) -> Rolled:
    """Return what the days of several groups in one unit add up to, and all that they do not tell."""
    pieces: dict[int, list[Amount]] = defaultdict(list)
    for group in groups:
        for place, amount in group.pieces.items():
            pieces[place].append(amount)
    wholes = [group.whole for group in groups if group.whole]
    return Rolled(
        whole=_added(wholes) if wholes else None,
        pieces={place: _added(amounts) for place, amounts in pieces.items()},
        rest=[stretch for group in groups for stretch in group.rest],
    )


def _shares(number: int, stretch: Stretch, rolled: Rolled) -> list[_Share]:
    """Part a stretch by stays and registers; what no stay of it covers, or days cannot tell, is left to be measured."""
    shares: list[_Share] = []
    reached = stretch.period.start
    for stay in stretch.stays:
        part = stay.period.intersect(stretch.period)
        if part is None:
            continue
        if reached < part.start:
            rolled.rest.append(Stretch(Period(reached, part.start), ()))
        reached = part.end
        cut = Stretch(part, (stay,))
        dials = [register for register in stay.registers if not register.is_interval]
        if dials and len(dials) < len(stay.registers):
            # A dial with half-hours behind it: its days count, and where they do not tell, both are asked.
            if len(dials) == 1:
                shares.append(_Share(number, cut, dials[0], stay))
            else:
                rolled.rest.append(cut)
        elif stay.registers:
            shares += (_Share(number, cut, each, replace(stay, registers=(each,))) for each in stay.registers)
        else:
            rolled.rest.append(cut)
    if reached < stretch.period.end:
        rolled.rest.append(Stretch(Period(reached, stretch.period.end), ()))
    return shares


def _asked(share: _Share, unit: str) -> DayStretch:
    scale = share.register.scale
    a_unit = share.measured.kwh_a_unit(unit)
    return DayStretch(
        register_id=share.register.register_id,
        low=share.stretch.period.start,
        high=share.stretch.period.end,
        group=share.group,
        scale=scale,
        kwh_a_unit=None if a_unit is None else a_unit * scale,
    )


def _amount(found: DaySum) -> Amount:
    energy = Energy(amount=found.amount, complete=True, estimated_amount=found.estimated, quality=found.quality)
    return Amount(energy, found.kwh)


def _added(amounts: Collection[Amount]) -> Amount:
    kwh = [each.kwh for each in amounts if each.kwh is not None]
    whole = total([each.energy for each in amounts])
    return Amount(whole, sum(kwh, Decimal(0)) if len(kwh) == len(amounts) else None)
