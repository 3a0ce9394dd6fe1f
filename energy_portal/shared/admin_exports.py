"""Every list of the admin as CSV: what it shows, filtered and sorted as it is, streamed."""

import html
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from energy_portal.shared.downloads import StreamedFile
from energy_portal.shared.tables import csv_lines

# Sent with ``request``, ``page`` (the model's label), ``rows`` and ``query`` before the first line leaves.
list_exported = Signal()

_ROWS_AT_ONCE = 500
_NOTHING = "-"
_SECRET = re.compile(r"password|secret|token|hash", re.IGNORECASE)


class ListExport(ModelAdmin[Any]):
    """A list that whoever may see it may take along; what keeps a secret never leaves."""

    export_without: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=self._export_name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list with the way to its CSV."""
        context = {**(extra_context or {}), "export_url": reverse(f"admin:{self._export_name}")}
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Stream all rows that the list would page through."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{reverse(f'admin:{self._list_name}')}?{ERROR_FLAG}=1")
        columns = [name for name in listed.list_display if name not in self.export_without and _leaves(str(name))]
        lines = csv_lines(self._heads(columns), self._table(listed.queryset, columns), bom=True)
        list_exported.send(
            type(self),
            request=request,
            page=self.opts.label_lower,
            rows=listed.result_count,
            query=request.GET.urlencode(),
        )
        answer = StreamedFile(lines, name=self._file_name(), content_type="text/csv; charset=utf-8")
        answer["Cache-Control"] = "no-store"
        return answer

    @property
    def _list_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_changelist"

    @property
    def _export_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_export"

    def _file_name(self) -> str:
        return f"{self.opts.model_name}-{timezone.localtime():%Y-%m-%d-%H%M}.csv"

    def _heads(self, columns: Sequence[Any]) -> list[str]:
        labels = (str(label_for_field(name, self.model, self)) for name in columns)
        return ["id", *(label[:1].upper() + label[1:] for label in labels)]

    def _table(self, rows: QuerySet[Any], columns: Sequence[Any]) -> Iterator[list[object]]:
        for row in rows.iterator(chunk_size=_ROWS_AT_ONCE):
            yield [row.pk, *(self._cell(name, row) for name in columns)]

    def _cell(self, name: Any, row: Any) -> object:
        try:
            field, column, value = lookup_field(name, row, self)
        except ObjectDoesNotExist:
            return None
        if field is not None and getattr(field, "flatchoices", None):
            return dict(field.flatchoices).get(value, value)
        instant = _instant_behind(column, row)
        return _plain(value if instant is None else instant)


def _leaves(name: str) -> bool:
    return name != "action_checkbox" and not _SECRET.search(name)


def _instant_behind(column: Any, row: Any) -> datetime | None:
    """Return the instant that a column writes for people, so that a table holds it for machines."""
    order = getattr(column, "admin_order_field", None)
    if not isinstance(order, str):
        return None
    try:
        value = attrgetter(order.removeprefix("-").replace("__", "."))(row)
    except (AttributeError, ObjectDoesNotExist):
        return None
    return value if isinstance(value, datetime) else None


def _plain(value: Any) -> object:
    """Return what a list shows as the content of a cell: words without tags, times on the site's clock."""
    if value == _NOTHING:
        return None
    if isinstance(value, tuple):
        return _plain(value[-1])
    if isinstance(value, SafeString):
        return html.unescape(strip_tags(value)).strip()
    if isinstance(value, datetime):
        return timezone.localtime(value)
    if isinstance(value, list | dict):
        return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
    return value
