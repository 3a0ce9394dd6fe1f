"""The errors that the domain raises: what went wrong, with a stable code, and no framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ItemError:
    """What is wrong with one row of a batch or one field of a form."""

    code: str
    detail: str
    index: int | None = None
    field: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the item as a problem document lists it, without what is not known."""
        place: dict[str, Any] = {"index": self.index, "field": self.field}
        return {name: value for name, value in place.items() if value is not None} | {
            "code": self.code,
            "detail": self.detail,
        }


class DomainError(Exception):
    """A rule of the domain refused; ``str()`` of it is the sentence for a person.

    A subclass names its own stable ``code`` and, where it differs from its base's, the HTTP ``status`` that an
    interface should answer; a single raise may name either.

    :param detail: one sentence for a person, without secrets.
    :param code: stable, snake_case, for programs.
    :param extra: further members of the answer, JSON-safe.
    :param errors: what is wrong with single rows or fields.
    """

    code: str = "refused"
    status: int = 422

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        extra: Mapping[str, Any] | None = None,
        errors: Sequence[ItemError] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.status = status or self.status
        self.extra = dict(extra or {})
        self.errors = tuple(errors)


class Invalid(DomainError):
    """What was asked for is understood, and breaks a rule."""

    code = "invalid"
    status = 422


class NotFound(DomainError):
    """It does not exist, or not for the one who asks."""

    code = "not_found"
    status = 404


class Forbidden(DomainError):
    """The one who asks may never do this."""

    code = "forbidden"
    status = 403


class Conflict(DomainError):
    """It contradicts what is already so."""

    code = "conflict"
    status = 409


class _Later(DomainError):
    """Not now: ask again after some seconds."""

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, **more: Any) -> None:
        super().__init__(detail, **more)
        self.retry_after_seconds = retry_after_seconds


class Throttled(_Later):
    """The one who asks has asked too often."""

    code = "throttled"
    status = 429


class Unavailable(_Later):
    """Something that the answer needs is down or full."""

    code = "unavailable"
    status = 503
