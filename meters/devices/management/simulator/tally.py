"""What became of what was sent."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of a run, in messages unless said otherwise.

    :ivar sent: left a device, the repeated ones included.
    :ivar acknowledged: answered as taken, by the portal over HTTP, by the broker over MQTT.
    :ivar stored_properties: that the portal says it stored; None over MQTT, where nobody says.
    :ivar repeated: sent once more on purpose.
    :ivar refused: by code.
    :ivar retried: requests that were sent again, by the reason.
    :ivar unanswered: given up at the end.
    """

    sent: int = 0
    acknowledged: int = 0
    stored_properties: int | None = None
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0

    def summary(self) -> str:
        """Return the line that a run ends with."""
        parts = [
            f"{self.sent:,} sent",
            f"{self.acknowledged:,} acknowledged",
            *([] if self.stored_properties is None else [f"{self.stored_properties:,} properties stored"]),
            f"{self.refused.total():,} refused{_listed(self.refused)}",
            f"{self.repeated:,} repeated on purpose",
            f"{self.retried.total():,} retried{_listed(self.retried)}",
            f"{self.unanswered:,} unanswered",
        ]
        return ", ".join(parts)


def _listed(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{name}: {count:,}' for name, count in counts.most_common())})" if counts else ""
