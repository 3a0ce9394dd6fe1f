"""How much of what somebody is told depends on who asks."""

from typing import Any

from accounts.api.permissions import asking_person
from accounts.roles import Role


class ToldByRole:
    """Answers about rows that have an account, somebody who takes care of them, and a note.

    Operators learn of no account, and who is not staff learns neither who takes care of it nor what was said.
    """

    context: dict[str, Any]

    def get_account(self, row: Any) -> str | None:
        """Return the number of the account."""
        return row.account.number if row.account is not None and self._role() != Role.OPERATOR else None

    def get_acknowledged_by(self, row: Any) -> str | None:
        """Return the address of who takes care of it."""
        return row.acknowledged_by.email if row.acknowledged_by is not None and self.is_staff() else None

    def get_note(self, row: Any) -> str:
        """Return what was said about it."""
        return row.note if self.is_staff() else ""

    def is_staff(self) -> bool:
        """Tell whether it is operators, managers or admins that ask."""
        return self._role() in {Role.OPERATOR, Role.MANAGER, Role.ADMIN}

    def _role(self) -> str | None:
        user = asking_person(self.context["request"])
        return user.role if user is not None else None
