"""What the admin pages of meters share: scoping, periods in words, and the page that asks before an act."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import ReadOnlyInline, moment
from energy_portal.shared.errors import DomainError
from meters.models import Quality, Register
from meters.services.estimating import EstimateReport

ACT_TEMPLATE = "admin/meters/act.html"
FilledForm = TypeVar("FilledForm", bound=forms.Form)


class VisibleRows(ModelAdmin):  # type: ignore[type-arg]
    """Lists hold what the person may see."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).visible_to(request.user)  # type: ignore[attr-defined, no-any-return]


class DecidedOnly:
    """Rows that only services write, with acts that a manager may do on them."""

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may decide."""
        model = self.model._meta  # type: ignore[attr-defined]
        return bool(request.user.has_perm(f"{model.app_label}.change_{model.model_name}"))


class KeepsCustomers:
    """Rows of whose accounts operators learn nothing: no fieldset "Customer", no search by the last field."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep whose it is from operators."""
        own: Any = self.fieldsets  # type: ignore[attr-defined]
        return tuple(each for each in own if _may_know_customers(request) or each[0] != "Customer")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Keep from operators what they would find by an account's number."""
        own: tuple[str, ...] = self.search_fields  # type: ignore[attr-defined]
        return own if _may_know_customers(request) else own[:-1]


def _may_know_customers(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("accounts.view_customeraccount"))


class RelatedInline(ReadOnlyInline):
    """Rows that only services write, each with what it names."""

    show_change_link = False
    related: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related(*self.related)


def instant_column(name: str, description: str) -> Callable[[Any, Any], str]:
    """Return a column of a list that writes an instant on the site's clock."""

    @display(description=description, ordering=name)
    def column(page: Any, row: Any) -> str:
        return moment(getattr(row, name))

    return column  # type: ignore[no-any-return]


def dial_text(value: Decimal | None, register: Register | None) -> str:
    """Write what a register shows with the decimals and the unit of its dial."""
    if value is None or register is None:
        return "-"
    places = max(register.decimals, -int(value.normalize().as_tuple().exponent))
    return f"{value:.{places}f} {register.unit}"


_ESTIMATED_BY = {
    Quality.REFERENCE_DAY: "estimated by a like day",
    Quality.LINEAR: "estimated on the line between reads",
    Quality.PROJECTED: "estimated ahead",
}


def quality_text(quality: int | None) -> str:
    """Say in words how far a value can be trusted."""
    if quality is None:
        return "-"
    known = Quality(quality)
    return _ESTIMATED_BY.get(known, known.label.lower())


class Since:
    """Columns for a range of time that may have no end."""

    @staticmethod
    def start(row: Any) -> str:
        return moment(row.valid.lower, missing="always")

    @staticmethod
    def end(row: Any) -> str:
        return moment(row.valid.upper, missing="open")


@dataclass(frozen=True)
class Question:
    """The words around a form, where it leads back to, and further fields that must come back with it."""

    title: str
    intro: str
    submit: str
    back: str
    hidden: tuple[tuple[str, str], ...] = ()


def ask_then(
    page: ModelAdmin[Any],
    request: HttpRequest,
    question: Question,
    *,
    form: FilledForm,
    act: Callable[[FilledForm], str | HttpResponse],
) -> HttpResponse:
    """Show a form, and once it is filled in do what it is for.

    :param act: calls the service and returns the sentence that tells of it, or where to go from there; its
        DomainErrors stand above the form.
    """
    if form.is_bound and form.is_valid():
        try:
            outcome = act(form)
        except DomainError as error:
            form.add_error(None, ValidationError(error.detail, code=error.code))
        else:
            if isinstance(outcome, HttpResponse):
                return outcome
            messages.success(request, outcome)
            return redirect(question.back)
    context = {
        **page.admin_site.each_context(request),
        "opts": page.model._meta,
        "title": question.title,
        "question": question,
        "form": form,
    }
    return TemplateResponse(request, ACT_TEMPLATE, context)


def act_on_each(
    page: Any, request: HttpRequest, keys: Iterable[UUID], act: Callable[..., object], key_name: str, form: Any
) -> str:
    """Do to each row by itself what a form decided, tell of those that refused, and return how many were done.

    :param key_name: what the act calls the key of a row.
    """
    done, now = 0, timezone.now()
    for key in keys:
        try:
            act(**{key_name: key}, actor=actor_of(request), now=now, **form.decision(now))
        except DomainError as error:
            page.message_user(request, error.detail, messages.WARNING)
        else:
            done += 1
    return f"{done} done."


def change_url(model: type[Model], key: object) -> str:
    """Return the admin page of a row."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])


def list_url(model: type[Model]) -> str:
    """Return the admin list of a model."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def estimated_in_words(reports: Iterable[EstimateReport]) -> str:
    """Say what came of an estimation by hand: how many half-hours, and why others were left."""
    found = list(reports)
    entered = sum(report.entered for report in found)
    refusals = {gap.refusal.detail for report in found for gap in report.gaps if gap.refusal is not None}
    told = f"{entered} half-hours estimated." if entered or refusals else "Nothing is missing there."
    return " ".join((told, *sorted(refusals)))
