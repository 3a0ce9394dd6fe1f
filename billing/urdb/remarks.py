"""What is to be said of a rate: where, what, and how bad."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Remark:
    """One thing to know of a rate, at its place, such as ``energyratestructure[1][0].rate``.

    A note changes no price; after a warning the prices, or whose they are, deserve a look; with a fault there is
    nothing sound to import.
    """

    level: Level
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class Remarks:
    """Gathers remarks in the order in which they are found."""

    def __init__(self) -> None:
        self.found: list[Remark] = []

    def note(self, path: str, text: str) -> None:
        """Add something that changes no price."""
        self.found.append(Remark(Level.NOTE, path, text))

    def warn(self, path: str, text: str) -> None:
        """Add something that changes a price, or casts doubt on it."""
        self.found.append(Remark(Level.WARNING, path, text))

    def fault(self, path: str, text: str) -> None:
        """Add something that nothing can be charged by."""
        self.found.append(Remark(Level.FAULT, path, text))

    def extend(self, remarks: Iterable[Remark]) -> None:
        """Add what somebody else found."""
        self.found.extend(remarks)
