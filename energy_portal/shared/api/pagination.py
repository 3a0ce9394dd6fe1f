"""Pages of a list that neither skip nor repeat a row while rows are added, at the same cost however deep."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Protocol, Self

from django.core.exceptions import ValidationError as ModelInvalid
from django.db.models import CompositePrimaryKey, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param

from energy_portal.shared import strict_json
from energy_portal.shared.errors import Invalid

_NEWEST_FIRST = ("-created_at", "-pk")
_PLAIN = (str, int, float, bool)


class BadCursor(Invalid):
    """A cursor is not one that this list gave out."""

    code = "invalid_cursor"
    status = 400


class BadPageSize(Invalid):
    """A page size is not a positive whole number."""

    code = "invalid_page_size"
    status = 400


@dataclass(frozen=True)
class _Cursor:
    """The values of the row at a page's edge, in the list's order, and on which side of it the page lies."""

    ordering: tuple[str, ...]
    values: tuple[Any, ...]
    backwards: bool

    def encode(self) -> str:
        document = strict_json.dumps([self.ordering, self.values, self.backwards])
        return base64.urlsafe_b64encode(document).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, ordering: tuple[str, ...]) -> Self:
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            document = strict_json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (UnicodeEncodeError, binascii.Error, strict_json.MalformedJSON) as error:
            raise BadCursor("The cursor is not one of ours.") from error
        match document:
            case [list(fields), list(values), bool(backwards)] if (
                tuple(fields) == ordering
                and len(values) == len(ordering)
                and all(isinstance(value, _PLAIN) for value in values)
            ):
                return cls(ordering, tuple(values), backwards)
        raise BadCursor("The cursor belongs to another list or order.")


class Pageable(Protocol):
    """Rows that are no queryset but come in pages of an order too."""

    ordering: ClassVar[tuple[str, ...]]

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[Any]:
        """Return the next rows beyond one that is given by its values in the order, against it when backwards.

        :raises ValueError: no row has such values.
        """


class KeysetPagination(BasePagination):
    """Page through a queryset, or what is pageable like one, by the values of its last row, never by counting rows.

    The order is the queryset's own, otherwise the view's ``ordering``, otherwise newest first; the primary key breaks
    ties. Ordering fields must be columns (``field`` or ``relation__field``) that are never NULL; an index over them
    makes every page one short scan. ``page_size`` is 50 unless told, at most 500. As CSV a page is up to 10,000
    rows and the next one stands in the ``Link`` header.
    """

    max_page_size = 500
    page_size = int(api_settings.PAGE_SIZE or max_page_size)
    csv_page_size = 10_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Read one page.

        :raises BadCursor: a cursor of another list, another order, or nobody's.
        :raises BadPageSize: not a positive whole number; what is over the maximum is cut to it.
        """
        self._url = request.build_absolute_uri()
        self._ordering = _ordering_of(queryset, view)
        size = self._size(request)
        text = request.query_params.get("cursor")
        cursor = _Cursor.decode(text, self._ordering) if text else None
        backwards = cursor is not None and cursor.backwards
        try:
            rows = _read(queryset, self._ordering, cursor, size + 1)
        except (ModelInvalid, ValueError, TypeError) as error:
            if cursor is None:
                raise
            raise BadCursor("The cursor is not one of ours.") from error
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        self._set_links(rows, before=more if backwards else cursor is not None, after=backwards or more)
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        response = Response({"next": self._next, "previous": self._previous, "results": data})
        links = ((self._next, "next"), (self._previous, "prev"))
        if header := ", ".join(f'<{url}>; rel="{relation}"' for url, relation in links if url):
            response["Link"] = header
        return response

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where a page starts: taken from `next` or `previous`, never made up.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "required": False,
                "description": "Rows a page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": self.max_page_size,
                    "default": self.page_size,
                },
            },
        ]

    def _size(self, request: Request) -> int:
        as_file = getattr(getattr(request, "accepted_renderer", None), "format", None) == "csv"
        largest = self.csv_page_size if as_file else self.max_page_size
        text = request.query_params.get("page_size")
        if text is None:
            return largest if as_file else self.page_size
        if not (text.isascii() and text.isdigit()) or not 0 < len(text) <= 9 or int(text) == 0:
            raise BadPageSize(f"page_size must be a whole number from 1 to {largest}.")
        return min(int(text), largest)

    def _set_links(self, rows: Sequence[Any], *, before: bool, after: bool) -> None:
        self._previous = self._link(rows[0], backwards=True) if rows and before else None
        self._next = self._link(rows[-1], backwards=False) if rows and after else None

    def _link(self, row: Any, *, backwards: bool) -> str:
        values = tuple(_value_of(row, name.lstrip("-")) for name in self._ordering)
        return replace_query_param(self._url, "cursor", _Cursor(self._ordering, values, backwards).encode())


def _read(
    queryset: QuerySet[Any] | Pageable, ordering: tuple[str, ...], cursor: _Cursor | None, limit: int
) -> list[Any]:
    backwards = cursor is not None and cursor.backwards
    if not isinstance(queryset, QuerySet):
        return queryset.page(limit=limit, backwards=backwards, beyond=cursor.values if cursor else None)
    direction = tuple(map(_reversed, ordering)) if backwards else ordering
    page = queryset.order_by(*direction)
    if cursor is not None:
        page = page.filter(_beyond(direction, cursor.values))
    return list(page[:limit])


def _ordering_of(queryset: QuerySet[Any] | Pageable, view: Any) -> tuple[str, ...]:
    if not isinstance(queryset, QuerySet):
        return queryset.ordering
    ordering: Any = queryset.query.order_by or getattr(view, "ordering", None) or _NEWEST_FIRST
    names = (ordering,) if isinstance(ordering, str) else tuple(ordering)
    if not all(isinstance(name, str) for name in names):
        raise TypeError("A paged list is ordered by the names of columns, not by expressions.")
    key = queryset.model._meta.pk
    plain = {name.lstrip("-") for name in names}
    if names[-1].lstrip("-") in {"pk", key.name}:
        return names
    sign = "-" if names[-1].startswith("-") else ""
    if isinstance(key, CompositePrimaryKey):
        # A row is not compared by a tuple: the columns of the key that are not in the order yet follow it.
        return (*names, *(f"{sign}{name}" for name in key.field_names if name not in plain))
    return (*names, f"{sign}pk")


def _reversed(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _beyond(direction: Sequence[str], values: Sequence[Any]) -> Q:
    """Return the rows after a row in an order.

    The row comparison ``(a, b) > (x, y)`` in the form that an index serves: ``a >= x and (a > x or b > y)``.
    """
    name, value = direction[0].lstrip("-"), values[0]
    side = "lt" if direction[0].startswith("-") else "gt"
    strictly = Q(**{f"{name}__{side}": value})
    if len(direction) == 1:
        return strictly
    return Q(**{f"{name}__{side}e": value}) & (strictly | _beyond(direction[1:], values[1:]))


def _value_of(row: Any, name: str) -> Any:
    if isinstance(row, Mapping):
        value = row[name]
    else:
        value = row
        for part in name.split("__"):
            value = getattr(value, part)
    if value is None:
        raise ValueError(f"A paged list cannot be ordered by {name}, which may be NULL.")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value if isinstance(value, _PLAIN) else str(value)
