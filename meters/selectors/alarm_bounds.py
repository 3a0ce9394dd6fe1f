"""Which values may move an alarm, so that callers with millions of subjects hand in those alone."""

from dataclasses import dataclass

from meters.models import AlarmRule


@dataclass(frozen=True)
class AlarmBounds:
    """What begins to raise an alarm, by quantity; of a subject that a rule watches already every value counts.

    :ivar above: the least value at which a rule holds that looks for too much.
    :ivar below: the greatest one at which a rule holds that looks for too little.
    """

    above: dict[str, float]
    below: dict[str, float]


def alarm_bounds(subject_kind: str) -> AlarmBounds:
    """Return the bounds of all enabled rules of a kind of subject, in one query."""
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
    return AlarmBounds(above, below)
