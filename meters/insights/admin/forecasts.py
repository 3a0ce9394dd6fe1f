"""Forecasts with their charts, and the models behind them: managers decide which of them speaks."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin, BoundedPaginator
from meters.admin.acts import NoteForm, OptionalNoteForm
from meters.admin.common import DecidedOnly, Question, VisibleRows, ask_then, instant_column, list_url
from meters.insights.models import Forecast, ForecastModel, Holiday, Weather
from meters.insights.services.models import activate_model, retire_model
from meters.insights.services.nights import queue_training
from meters.models import Job

_WIDTH, _HEIGHT = 720, 200
_ARRAYS = ("median", "mean", "low", "high")
_STATE_COLOURS = {
    ForecastModel.State.ACTIVE: "success",
    ForecastModel.State.CANDIDATE: "info",
    ForecastModel.State.RETIRED: "warning",
    ForecastModel.State.REJECTED: "danger",
}


@admin.register(Forecast)
class ForecastAdmin(VisibleRows, AppendOnlyAdmin):
    """What was expected, newest first."""

    paginator = BoundedPaginator
    list_display = ("starts", "label", "subject_kind", "forecaster", "reason", "issued")
    list_display_links = ("starts", "label")
    list_filter = ("subject_kind", "forecaster", "reason", "region")
    search_fields = ("subject", "label")
    search_help_text = "Code, name or account number"
    fieldsets = (
        (None, {"fields": (("label", "subject_kind"), ("starts", "zone"), "drawn", ("forecaster", "model"))}),
        ("How", {"fields": (("issued", "known"), ("cohort", "quantity"), "reason", "reason_text")}),
    )
    readonly_fields = ("drawn", "starts", "issued", "known")
    starts = instant_column("origin", "From")
    issued = instant_column("issued_at", "Made")
    known = instant_column("known_until", "Known until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Forecast]:
        rows: QuerySet[Forecast] = super().get_queryset(request).select_related("model").defer("model__content")
        match = request.resolver_match
        return rows.defer(*_ARRAYS) if match and match.url_name == "insights_forecast_changelist" else rows

    @display(description="Expected")
    def drawn(self, forecast: Forecast) -> str:
        if not forecast.median:
            return "-"
        return render_to_string("admin/insights/forecast_chart.html", _chart(forecast))


@admin.register(ForecastModel)
class ForecastModelAdmin(DecidedOnly, AppendOnlyAdmin):
    """The models that were taught, newest first, and which of them speaks."""

    list_display = ("taught", "cohort", "version", "shown_state", "error", "usual_error", "series", "origins")
    list_display_links = ("taught", "cohort")
    list_filter = ("cohort", "state", "algorithm")
    ordering = ("-trained_at", "-version")
    fieldsets = (
        (None, {"fields": (("cohort", "version"), ("shown_state", "changed"), "reason")}),
        ("How it did on held-back days", {"fields": (("error", "usual_error"), ("bias", "coverage"))}),
        (
            "How it was taught",
            {"fields": (("taught", "until"), ("series", "origins"), ("algorithm", "seed"), "made_with", "digest")},
        ),
    )
    readonly_fields = ("taught", "until", "changed", "shown_state", "error", "usual_error", "bias", "coverage")
    taught = instant_column("trained_at", "Taught")
    until = instant_column("trained_until", "By what was before")
    changed = instant_column("changed_at", "Since")
    actions_list = ("teach",)
    actions_detail = ("activate", "retire")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ForecastModel]:
        rows: QuerySet[ForecastModel] = super().get_queryset(request).defer("content")
        return rows

    @display(description="State", ordering="state", label=_STATE_COLOURS)
    def shown_state(self, row: ForecastModel) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description="Error")
    def error(self, row: ForecastModel) -> str:
        return _percent(row, "candidate", "nmae")

    @display(description="Error of the weekdays' means")
    def usual_error(self, row: ForecastModel) -> str:
        return _percent(row, "weekday_means", "nmae")

    @display(description="Bias")
    def bias(self, row: ForecastModel) -> str:
        return _percent(row, "candidate", "bias")

    @display(description="Inside the band")
    def coverage(self, row: ForecastModel) -> str:
        return _percent(row, "candidate", "coverage")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what the model's state allows."""
        state = self.get_queryset(request).filter(pk=unquote(str(object_id))).values_list("state", flat=True).first()
        offered = "retire" if state == ForecastModel.State.ACTIVE else "activate"
        every = super().get_actions_detail(request, object_id)
        return [each for each in every if each.action_name.endswith(offered)]

    @action(description="Let it speak", url_path="activate", permissions=["decide"], icon="record_voice_over")
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put a model in the place of the one that speaks."""
        intro = "It speaks for its cohort from the next forecast on; the one that does now is retired."
        return self._decide(request, object_id, "Let it speak", intro, activate_model)

    @action(description="Silence it", url_path="retire", permissions=["decide"], icon="voice_over_off")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have the naive forecasters speak in its place."""
        intro = "The means of the weekdays speak for its cohort until another model does."
        return self._decide(request, object_id, "Silence it", intro, retire_model)

    @action(description="Teach anew", url_path="teach", permissions=["decide"], icon="school")
    def teach(self, request: HttpRequest) -> HttpResponse:
        """Ask for new models of all cohorts."""
        question = Question(
            title="Teach anew",
            intro="A model is taught for every kind of series; it speaks where it does better on held-back days.",
            submit="Teach",
            back=list_url(Job),
        )
        form = OptionalNoteForm(request.POST if request.method == "POST" else None)
        return ask_then(self, request, question, form=form, act=lambda _: self._taught(request))

    def _taught(self, request: HttpRequest) -> str:
        jobs = queue_training(actor=actor_of(request), now=timezone.now())
        return f"{len(jobs)} models are being taught."

    def _decide(
        self, request: HttpRequest, object_id: str, title: str, intro: str, act: Callable[..., ForecastModel]
    ) -> HttpResponse:
        row = self.get_queryset(request).get(pk=object_id)
        question = Question(title=f"{title}: {row}", intro=intro, submit=title, back=list_url(ForecastModel))

        def decided(form: NoteForm) -> str:
            note = form.cleaned_data["note"]
            done = act(model_id=row.pk, reason=note, actor=actor_of(request), now=timezone.now())
            return f"{done}: {done.get_state_display()}."

        form = NoteForm(request.POST if request.method == "POST" else None)
        return ask_then(self, request, question, form=form, act=decided)


@admin.register(Weather)
class WeatherAdmin(AppendOnlyAdmin):
    """Temperatures as they were told, newest first."""

    paginator = BoundedPaginator
    list_display = ("starts", "region", "temperature_c", "known")
    list_filter = ("region",)
    list_select_related = ("region",)
    ordering = ("-time", "-id")
    fields = ("starts", "region", "temperature_c", "known")
    readonly_fields = ("starts", "known")
    starts = instant_column("time", "Half-hour")
    known = instant_column("known_at", "Known since")


@admin.register(Holiday)
class HolidayAdmin(AppendOnlyAdmin):
    """Days on which people live as on a Sunday, newest first."""

    list_display = ("day", "name", "region", "known")
    list_filter = ("region",)
    list_select_related = ("region",)
    ordering = ("-day", "id")
    fields = ("day", "name", "region", "known")
    readonly_fields = ("known",)
    known = instant_column("known_at", "Known since")


def _percent(row: ForecastModel, who: str, what: str) -> str:
    value = row.measured.get(who, {}).get(what)
    return "-" if value is None else f"{value:.1%}"


def _chart(forecast: Forecast) -> dict[str, Any]:
    """Return the lines of an SVG, and what they show in words."""
    every = [*forecast.median, *forecast.low, *forecast.high]
    bottom, top = min([0.0, *every]), max(every) or 1.0
    size = top - bottom

    def points(values: Sequence[float]) -> list[str]:
        step = _WIDTH / max(len(values) - 1, 1)
        return [f"{n * step:.1f},{_HEIGHT * (1 - (value - bottom) / size):.1f}" for n, value in enumerate(values)]

    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "line": " ".join(points(forecast.median)),
        "band": " ".join(points(forecast.low) + points(forecast.high)[::-1]),
        "lowest": min(forecast.median),
        "highest": max(forecast.median),
        "total": sum(forecast.mean),
        "is_energy": forecast.quantity == Forecast.Quantity.ENERGY,
    }
