"""Registers by the names that files give them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from meters.models import Meter, Register

_KINDS = {Register.Kind.INTERVAL.value: "interval", Register.Kind.CUMULATIVE.value: "dial"}


@dataclass(frozen=True)
class KnownMeter:
    """A meter that files may name: what it counts, and each register's kind, ``dial`` or ``interval``."""

    type: str
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def only_code(self) -> str | None:
        """The code of its register where it has one alone."""
        return next(iter(self.kinds)) if len(self.kinds) == 1 else None


def known_meters(serials: Iterable[str]) -> dict[str, KnownMeter]:
    """Return the meters among serials with their registers. One query."""
    rows = Meter.objects.filter(serial__in=list(serials)).order_by()
    found: dict[str, KnownMeter] = {}
    for serial, type_, code, kind in rows.values_list("serial", "type", "registers__code", "registers__kind"):
        meter = found.setdefault(serial, KnownMeter(type_))
        if code is not None:
            meter.kinds[code] = _KINDS[kind]
    return found
