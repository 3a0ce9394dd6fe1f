"""What the admin pages of every app have in common."""

from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.admin import display as admin_display
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList

from energy_portal.shared.admin_exports import ListExport
from energy_portal.shared.admin_rows import box_of, draw_alike_once, labelled
from energy_portal.shared.errors import NotFound

draw_alike_once()

# The admin's own pages look at keys themselves, and say more kindly that there is no such row.
_KEYS_CHECKED = ("_change", "_delete", "_history")


class _RowList(ChangeList):  # type: ignore[misc]
    """A list that offers to show all rows only where it holds some back."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class PortalAdmin(ListExport, ModelAdmin):  # type: ignore[misc]
    """Lists that open fast however long they are and leave as CSV, forms that fit a screen."""

    list_per_page = 25
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, shown in list(vars(cls).items()):
            if callable(shown) and getattr(shown, "label", None):
                setattr(cls, name, labelled(shown))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _RowList

    @admin_display(description=ModelAdmin.action_checkbox.short_description)
    def action_checkbox(self, obj: Model) -> SafeString:
        return box_of(obj.pk)

    def get_urls(self) -> list[URLPattern]:
        """Return the pages of the model; an act on a row that is not there is not found."""
        urls: list[URLPattern] = super().get_urls()
        for url in urls:
            if "object_id" in url.pattern.converters and url.name and not url.name.endswith(_KEYS_CHECKED):
                url.callback = self._of_a_row(url.callback)
        return urls

    def _of_a_row(self, page: Any) -> Any:
        @wraps(page)
        def checked(request: HttpRequest, object_id: str, **more: Any) -> HttpResponse:
            try:
                self.opts.pk.to_python(unquote(object_id))
            except ValidationError:
                # Behind the login, as the page itself is.
                return self.admin_site.admin_view(_no_such_key)(request)
            try:
                answer: HttpResponse = page(request, object_id=object_id, **more)
            except (self.model.DoesNotExist, NotFound) as error:
                raise Http404(str(error)) from error
            return answer

        return checked


def _no_such_key(_: HttpRequest) -> HttpResponse:
    raise Http404("No row has such a key.")


class BoundedPaginator(Paginator[Any]):
    """Pages of a list that may hold millions: nobody counts beyond ``most``, nor leafs there; filters lead on."""

    most = 100_000

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.most].count()


class AppendOnlyAdmin(PortalAdmin):
    """Rows that the portal writes and people only read."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryAdmin(SimpleHistoryAdmin, PortalAdmin):  # type: ignore[misc]
    """Rows whose every change is kept and shown."""


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    """Rows that only services write, shown under their owner."""

    extra = 0
    can_delete = False
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def moment(instant: datetime | None, *, missing: str = "-") -> str:
    """Write an instant on the site's clock."""
    return missing if instant is None else date_format(timezone.localtime(instant), "j M Y H:i")
