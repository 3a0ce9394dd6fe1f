"""Who is behind a write: a person, a data source, or the portal itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import DataSource, User


@dataclass(frozen=True)
class Actor:
    """A person or a data source; neither for what the portal does by itself."""

    user: "User | None" = None
    source: "DataSource | None" = None


PORTAL = Actor()
