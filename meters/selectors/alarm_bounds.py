"""Which values may move an alarm, so that callers with millions of subjects hand in those alone."""

from dataclasses import dataclass

from meters.models import AlarmRule, AlarmWatch


@dataclass(frozen=True)
class AlarmBounds:
    """What may raise an alarm, by quantity, and who is looked at whatever they tell.

    :ivar above: the least value of each quantity at which a rule begins to hold.
    :ivar below: the greatest one at which a rule that looks for too little does.
    :ivar watched: subjects that are not quiet, or were not lately: any value of theirs counts.
    """

    above: dict[str, float]
    below: dict[str, float]
    watched: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.above or self.below)


def alarm_bounds(subject_kind: str) -> AlarmBounds:
    """Return the bounds of all enabled rules of a kind of subject, in two queries."""
    above: dict[str, float] = {}
    below: dict[str, float] = {}
    rules = AlarmRule.objects.filter(subject_kind=subject_kind, is_enabled=True)
    for quantity, comparison, set_at in rules.values_list("quantity", "comparison", "set_at"):
        if set_at is None:
            continue
        if comparison == AlarmRule.Comparison.ABOVE:
            above[quantity] = min(set_at, above.get(quantity, set_at))
        elif comparison == AlarmRule.Comparison.BELOW:
            below[quantity] = max(set_at, below.get(quantity, set_at))
    watches = AlarmWatch.objects.filter(rule__subject_kind=subject_kind).order_by()
    return AlarmBounds(above, below, tuple(watches.values_list("subject", flat=True).distinct()))
