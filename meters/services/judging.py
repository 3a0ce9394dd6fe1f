"""What becomes of the rows that were offered to one register, between what stands there."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import NamedTuple

from energy_portal.shared.clock import HALF_HOUR
from meters.consumption import ESTIMATES
from meters.models import Register, RuleCode, Severity, SupersededReading
from meters.services.registry import Catch, Rules, Target
from meters.services.screening import Candidate
from meters.validation import History, Known, Rank, Regression, plain

_STOPS = frozenset({Severity.REJECT, Severity.QUARANTINE})


class Outcome(Enum):
    """What becomes of a row."""

    STORED = auto()
    DUPLICATE = auto()
    CONFLICT = auto()
    QUARANTINED = auto()
    REJECTED = auto()


class Verdict(NamedTuple):
    """What becomes of a row, and the rules that caught it.

    ``turned`` is the instant of the value that a roll-over led to, ``standing`` what a conflict is with.
    """

    candidate: Candidate
    outcome: Outcome
    catches: tuple[Catch, ...] = ()
    turned: datetime | None = None
    standing: Decimal | None = None


class Stretch(NamedTuple):
    """A stretch of a register whose known energy moved."""

    register_id: int
    start: datetime
    end: datetime


@dataclass
class Standing:
    """What is known of a register around the rows that are offered to it: nothing that matters is left out.

    :ivar true: what no estimate is, reads of chain events included.
    :ivar estimates: by their instants.
    :ivar qualities: of readings of either kind, by their instants.
    """

    true: list[Known] = field(default_factory=list)
    estimates: dict[datetime, Decimal] = field(default_factory=dict)
    qualities: dict[datetime, int] = field(default_factory=dict)


class Estimates:
    """The estimates that stand of a register, and those that have to go.

    :ivar gone: by their instants, why.
    :ivar stretches: where known energy moves by it.
    """

    def __init__(self, register_id: int, standing: Mapping[datetime, Decimal], *, is_dial: bool) -> None:
        self.values = dict(standing)
        self.gone: dict[datetime, SupersededReading.Reason] = {}
        self.stretches: list[Stretch] = []
        self._register_id = register_id
        self._is_dial = is_dial
        self._instants = sorted(standing)

    def undo(self, history: History, time: datetime) -> None:
        """Let those of the stretch go that a true value divides; a true interval undoes only its own.

        :param history: what is true around it, without the value itself.
        """
        if not self._instants:
            return
        low: datetime | None = time - HALF_HOUR
        high: datetime | None = time
        start, end = bisect_left(self._instants, time), bisect_right(self._instants, time)
        if self._is_dial:
            low, high = history.around(time)
            start = bisect_right(self._instants, low) if low is not None else 0
            end = bisect_left(self._instants, high) if high is not None else len(self._instants)
        found = self._instants[start:end]
        if found:
            del self._instants[start:end]
            for instant in found:
                del self.values[instant]
                self.gone[instant] = SupersededReading.Reason.TRUE_DATA
            self.stretches.append(Stretch(self._register_id, low or found[0], high or max(found[-1], time)))

    def replace(self, time: datetime, low: datetime | None, high: datetime | None) -> None:
        """Let the one of an instant go for another, between what stands before and after."""
        self.gone[time] = SupersededReading.Reason.NEW_ESTIMATE
        self.stretches.append(Stretch(self._register_id, low or time, high or time))


class Judge:
    """Judges the rows of one register, true ones before estimates, each kind in the order of time."""

    def __init__(self, target: Target, standing: Standing, rules: Rules) -> None:
        self._target = target
        self._rules = rules
        self._is_dial = target.kind == Register.Kind.CUMULATIVE
        self._history = History(target.dial, standing.true)
        self._held = {known.time: known.value for known in standing.true if known.rank is Rank.READ}
        self.estimates = Estimates(target.register_id, standing.estimates, is_dial=self._is_dial)
        self.verdicts: list[Verdict] = []

    def judge(self, rows: Sequence[Candidate], findings: Mapping[int, tuple[Catch, ...]]) -> None:
        """Judge rows that are sorted by time.

        :param findings: by their places, what further rules caught.
        """
        for row in rows:
            if row.quality not in ESTIMATES:
                self.verdicts.append(self._judge_true(row, (*row.caught, *findings.get(row.place, ()))))
        estimates = [row for row in rows if row.quality in ESTIMATES]
        if estimates:
            # Those that may be replaced are no neighbours to those that come in their place.
            offered = {row.time for row in estimates}
            for time, value in self.estimates.values.items():
                if time not in offered:
                    self._history.add(time, value)
            taken: dict[datetime, Decimal] = {}
            self.verdicts += (self._judge_estimate(row, taken) for row in estimates)

    def _judge_true(self, row: Candidate, catches: tuple[Catch, ...]) -> Verdict:
        standing = self._held.get(row.time)
        if standing is not None:
            if standing == row.value:
                return Verdict(row, Outcome.DUPLICATE)
            return Verdict(row, Outcome.CONFLICT, standing=standing)
        if stop := _stop(row, catches):
            return stop
        turned = None
        if self._is_dial:
            turned, more = self._fit(row)
            catches += more
            if stop := _stop(row, more):
                return stop
        self.estimates.undo(self._history, row.time)
        self._held[row.time] = row.value
        if self._is_dial:
            self._history.add(row.time, row.value)
        return Verdict(row, Outcome.STORED, catches, turned)

    def _fit(self, row: Candidate) -> tuple[datetime | None, tuple[Catch, ...]]:
        """Return where the dial turned over, and the rules that have something to say about it."""
        try:
            turned = self._history.check(row.time, row.value)
        except Regression as error:
            catch = self._rules.catch(RuleCode.REGRESSION.value, self._target, error.detail)
            return self._history.fall(row.time, row.value), (catch,) if catch else ()
        catches = [self._speeding(row)]
        if turned is not None:
            catches.append(self._rules.catch(RuleCode.ROLLOVER.value, self._target, "The dial turned over."))
        return turned, tuple(each for each in catches if each is not None)

    def _speeding(self, row: Candidate) -> Catch | None:
        """Return what the rule on capacity has to say of a dial."""
        greatest = self._target.greatest_interval
        pair = None if greatest is None else self._history.too_fast(row.time, row.value, greatest=greatest)
        if greatest is None or pair is None:
            return None
        earlier, later = pair
        detail = (
            f"The register showed {plain(earlier.value)} at {earlier.time.isoformat()}: {plain(later.value)} at "
            f"{later.time.isoformat()} is more than the connection carries, {plain(greatest)} in half an hour."
        )
        return self._rules.catch(RuleCode.OVER_CAPACITY.value, self._target, detail)

    def _judge_estimate(self, row: Candidate, taken: dict[datetime, Decimal]) -> Verdict:
        standing = self._held.get(row.time, taken.get(row.time))
        if standing is not None:
            if standing == row.value:
                return Verdict(row, Outcome.DUPLICATE)
            return _not_taken(row, f"{plain(standing)} stands there.")
        older = self.estimates.values.get(row.time)
        stop = _stop(row, row.caught) if older != row.value else None
        turned = None
        low: datetime | None = row.time - HALF_HOUR
        high: datetime | None = row.time
        if self._is_dial:
            self._history.drop(row.time)
            try:
                turned = self._history.check(row.time, row.value)
                if older is not None:
                    # The fall may have lain before it, and lies behind it now.
                    turned = self._history.fall(row.time, row.value)
            except Regression as error:
                stop = stop or _not_taken(row, error.detail)
            low, high = self._history.around(row.time)
        if stop is not None:
            self._put_back(row.time, older)
            return stop
        self._history.add(row.time, row.value)
        if older == row.value:
            return Verdict(row, Outcome.DUPLICATE)
        if older is not None:
            self.estimates.replace(row.time, low, high)
        taken[row.time] = row.value
        return Verdict(row, Outcome.STORED, row.caught, turned)

    def _put_back(self, time: datetime, older: Decimal | None) -> None:
        """Let an older estimate stand, unless those that came in meanwhile contradict it."""
        if older is None or not self._is_dial:
            return
        low, high = self._history.around(time)
        try:
            self._history.judge(time, older)
        except Regression:
            del self.estimates.values[time]
            self.estimates.replace(time, low, high)


def _stop(row: Candidate, catches: Iterable[Catch]) -> Verdict | None:
    """Return the verdict on a row that does not enter, None where no rule holds it back; rejection goes first."""
    stopping = tuple(each for each in catches if each.severity in _STOPS)
    if not stopping:
        return None
    rejecting = tuple(each for each in stopping if each.severity == Severity.REJECT)
    return Verdict(row, Outcome.REJECTED, rejecting) if rejecting else Verdict(row, Outcome.QUARANTINED, stopping)


def _not_taken(row: Candidate, detail: str) -> Verdict:
    return Verdict(row, Outcome.REJECTED, (Catch("estimate_not_taken", Severity.REJECT, detail),))
