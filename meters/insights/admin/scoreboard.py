"""The scoreboard: how good forecasts were, beside what anybody could have said."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from unfold.decorators import display

from accounts.models import User
from energy_portal.shared.admin import AppendOnlyAdmin, BoundedPaginator, moment
from energy_portal.shared.clock import Period, local_day, zone
from meters.admin.common import VisibleRows
from meters.insights.admin.score_charts import line_chart
from meters.insights.forecasters.registry import WEEK_NAIVE, WEEKDAY_MEANS
from meters.insights.models import Anomaly, ForecastScore, Subject
from meters.insights.selectors.precision import Judged, Precision, precision_between
from meters.insights.selectors.scoreboard import Asked, Row, rows_by
from meters.insights.selectors.standings import Worst, models_now, worst_of
from meters.insights.tallies import HIGH_COVERAGE, LOW_COVERAGE, Tally, figures_of

_SPANS = {7: "7 days", 28: "28 days", 91: "3 months", 365: "a year"}
_EN_DASH = "\N{EN DASH}"
_AHEAD = {1: f"0{_EN_DASH}24 h ahead", 2: f"24{_EN_DASH}48 h ahead"}
_USUAL_DAYS, _MOST_DAYS_A_TABLE = 28, 91
# Of clean data there should be no more alarms a meter and week than about this.
_MOST_ALERTS = 1.0
_NAIVE = (WEEK_NAIVE, WEEKDAY_MEANS)
_KINDS = {
    Subject.SERVICE_POINT: "Service points",
    Subject.DEVICE: "Devices",
    Subject.BATTERY: "Batteries",
    Subject.ACCOUNT: "Accounts",
    Subject.REGION: "Regions",
    Subject.PORTAL: "Everything",
}
_NAMES = {WEEK_NAIVE: "Week before", WEEKDAY_MEANS: "Means of the weekday", "": "What was told"}


@dataclass(frozen=True)
class Chosen:
    """What of the scoreboard is looked at: how many days, which day ahead, whose forecasts."""

    days: int = _USUAL_DAYS
    ahead: int = 1
    cohort: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Chosen":
        """Read it off the address; what is not offered counts as not said."""
        days, ahead = (_number(request.GET.get(name)) for name in ("days", "ahead"))
        return cls(
            days=days if days in _SPANS else _USUAL_DAYS,
            ahead=ahead if ahead in _AHEAD else 1,
            cohort=request.GET.get("cohort", "")[:40],
        )

    @property
    def query(self) -> str:
        """The address's part that asks for it."""
        query: dict[str, Any] = {"days": self.days, "ahead": self.ahead}
        return urlencode({**query, "cohort": self.cohort} if self.cohort else query)

    def asked(self, now: datetime, **only: Any) -> Asked:
        """Return what is asked of the selectors."""
        after = now.astimezone(zone(settings.SITE_ZONE)).date() + timedelta(days=1)
        return Asked(after - timedelta(days=self.days), after, {"day_ahead": self.ahead, **only})

    def period(self, now: datetime) -> Period:
        """Return the same days as instants."""
        asked, clock = self.asked(now), zone(settings.SITE_ZONE)
        return Period(local_day(asked.first, clock).start, local_day(asked.after, clock).start)


@admin.register(ForecastScore)
class ForecastScoreAdmin(VisibleRows, AppendOnlyAdmin):
    """The scores of single forecasts, newest first, and the scoreboard that is made of them."""

    list_display = ("began", "subject", "cohort", "forecaster", "day_ahead", "error", "mase", "bias", "coverage")
    list_display_links = ("began", "subject")
    list_filter = ("forecaster", "day_ahead", "is_told", "cohort")
    list_select_related = ("forecast", "model")
    ordering = ("-id",)
    paginator = BoundedPaginator
    search_fields = ("forecast__subject",)
    search_help_text = "Service point, device, battery or account number"
    fieldsets = (
        (None, {"fields": (("forecast", "day_ahead"), ("forecaster", "is_told", "model"), ("cohort", "quantity"))}),
        ("How it did", {"fields": (("half_hours", "error", "mase"), ("bias", "coverage"), "scored")}),
    )
    readonly_fields = ("error", "mase", "bias", "coverage", "scored")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.scoreboard_view)
        return [path("scoreboard/", view, name="insights_forecastscore_scoreboard"), *super().get_urls()]

    def scoreboard_view(self, request: HttpRequest) -> HttpResponse:
        """Show how forecasts did over some days, in all, by day, by cohort and model, and where they did worst."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        user, chosen, now = cast("User", request.user), Chosen.of(request), timezone.now()
        board = scoreboard(user, chosen, now=now)
        if user.has_perm("insights.view_anomaly"):
            board["anomalies"] = anomalies_judged(user, chosen.period(now))
        page = {**self.admin_site.each_context(request), "opts": self.model._meta, "title": "Scoreboard"}
        return TemplateResponse(request, "admin/insights/scoreboard.html", {**page, **board})

    @display(description="Began", ordering="day")
    def began(self, score: ForecastScore) -> str:
        return moment(score.forecast.origin)

    @display(description="Of")
    def subject(self, score: ForecastScore) -> str:
        return score.forecast.label

    @display(description="Error")
    def error(self, score: ForecastScore) -> str:
        return percent(figures_of(Tally.of(score)).nmae)

    @display(description="MASE")
    def mase(self, score: ForecastScore) -> str:
        return ratio(figures_of(Tally.of(score)).mase)

    @display(description="Bias")
    def bias(self, score: ForecastScore) -> str:
        return percent(figures_of(Tally.of(score)).bias, signed=True)

    @display(description="Coverage")
    def coverage(self, score: ForecastScore) -> str:
        return percent(figures_of(Tally.of(score)).coverage)

    @display(description="Scored")
    def scored(self, score: ForecastScore) -> str:
        return moment(score.scored_at)


def scoreboard(user: User, chosen: Chosen, *, now: datetime) -> dict[str, Any]:
    """Return what the page shows, in a fixed number of queries."""
    cohorts = rows_by(user, chosen.asked(now), ("cohort", "quantity", "forecaster"))
    told = rows_by(user, chosen.asked(now, is_told=True), ("cohort", "quantity"))
    names = [row.cohort for row in told]
    cohort = chosen.cohort if chosen.cohort in names else _first(told)
    chosen = replace(chosen, cohort=cohort)
    of_cohort = [row for row in cohorts if row.cohort == cohort]
    days = rows_by(user, chosen.asked(now, cohort=cohort), ("day", "forecaster")) if cohort else []
    told_days = rows_by(user, chosen.asked(now, cohort=cohort, is_told=True), ("day",)) if cohort else []
    asked = chosen.asked(now)
    return {
        "chosen": chosen,
        "spans": _chips(chosen, "days", _SPANS),
        "aheads": _chips(chosen, "ahead", _AHEAD),
        "cohorts": [{"name": name, "label": cohort_name(name), "is_chosen": name == cohort} for name in names],
        "cohort_label": cohort_name(cohort),
        "told": next((_line(row) for row in told if row.cohort == cohort), None),
        "rows": [_line(row) for row in _best_first(of_cohort)],
        "error_chart": line_chart(_series(told_days, days, "mase"), first=asked.first, days=chosen.days),
        "coverage_chart": line_chart(
            [("What was told", "told", {row.day: row.figures.coverage for row in told_days})],
            first=asked.first,
            days=chosen.days,
            band=(LOW_COVERAGE, HIGH_COVERAGE),
            are_shares=True,
        ),
        "days": [_line(row) for row in reversed(told_days)][:_MOST_DAYS_A_TABLE],
        "models": [
            {**_line(row), "model": model, "label": f"{cohort_name(model.cohort)}, version {model.version}"}
            for model, row in models_now(user, chosen.asked(now))
        ],
        "all_cohorts": [_line(row) for row in told],
        "worst": [_worst(each) for each in worst_of(user, cohort=cohort, day_ahead=chosen.ahead)],
        "csv_url": f"{reverse('insights:api_scoreboard')}?{urlencode(_api_query(asked, chosen))}",
        "scores_url": reverse("admin:insights_forecastscore_changelist"),
    }


def anomalies_judged(user: User, period: Period) -> dict[str, Any]:
    """Return what people said of the anomalies that began in a period, of those that somebody may see."""
    judged = precision_between(period.start, period.end, rows=Anomaly.objects.visible_to(user))
    alerts = judged.alerts_a_meter_and_week
    return {
        "all": _judged(judged.overall),
        "alerts": ratio(alerts),
        "alerts_grade": "" if alerts is None else "good" if alerts <= _MOST_ALERTS else "warn",
        "tables": [
            {"head": head, "rows": [{**_judged(each), "name": name(each.group)} for each in found]}
            for head, found, name in _judged_by(judged)
            if found
        ],
        "list_url": reverse("admin:insights_anomaly_changelist"),
    }


def _judged_by(judged: Judged) -> list[tuple[str, tuple[Precision, ...], Callable[[str], str]]]:
    return [
        ("Kind", judged.by_kind, str.capitalize),
        ("Detector", judged.by_detector, forecaster_name),
        ("Cohort", judged.by_cohort, cohort_name),
    ]


def _judged(found: Precision) -> dict[str, Any]:
    return {
        "found": found.found,
        "alarmed": found.alarmed,
        "real": found.real,
        "normal": found.normal,
        "share": percent(found.share),
    }


def percent(share: float | None, *, signed: bool = False) -> str:
    """Write a share in per cent; a dash where there is none."""
    return _EN_DASH if share is None else f"{100 * share:{'+' if signed else ''}.1f} %"


def ratio(value: float | None) -> str:
    """Write a ratio; a dash where there is none."""
    return _EN_DASH if value is None else f"{value:.2f}"


def cohort_name(cohort: str) -> str:
    """Say whose forecasts a cohort's are."""
    kind, _, rest = cohort.partition(":")
    name = next((name for known, name in _KINDS.items() if known == kind), kind)
    return f"{name}, {rest.replace('_', ' ')}" if rest else name


def forecaster_name(name: str) -> str:
    """Say who a forecaster is."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def _line(row: Row) -> dict[str, Any]:
    """Return a row as its table shows it."""
    figures = row.figures
    return {
        "day": row.day,
        "cohort": cohort_name(row.cohort),
        "cohort_key": row.cohort,
        "name": forecaster_name(row.forecaster),
        "is_naive": row.forecaster in _NAIVE,
        "forecasts": row.forecasts,
        "half_hours": figures.half_hours,
        "error": percent(figures.nmae),
        "mase": ratio(figures.mase),
        "mase_pooled": ratio(figures.mase_pooled),
        "bias": percent(figures.bias, signed=True),
        "bias_of_median": percent(figures.bias_of_median, signed=True),
        "coverage": percent(figures.coverage),
        "coverage_grade": "" if figures.coverage is None else "good" if figures.is_covered else "warn",
        "skill": percent(figures.skill, signed=True),
        "skill_grade": "" if not figures.skill else "good" if figures.skill > 0 else "bad",
    }


def _worst(found: Worst) -> dict[str, Any]:
    figures = found.figures
    told = {"mase": ratio(figures.mase), "error": percent(figures.nmae), "bias": percent(figures.bias, signed=True)}
    return {"subject": found.subject, "label": found.label, "day": found.day, **told}


def _best_first(rows: list[Row]) -> list[Row]:
    def rank(row: Row) -> tuple[bool, float]:
        error = row.figures.mase if row.figures.mase is not None else row.figures.nmae
        return error is None, error or 0.0

    return sorted(rows, key=rank)


def _series(told: list[Row], days: list[Row], name: str) -> list[tuple[str, str, dict[date | None, float | None]]]:
    """Return what was told, and the naive ones beside it, by day."""
    lines = [(_NAMES[""], "told", {row.day: getattr(row.figures, name) for row in told})]
    for naive in _NAIVE:
        found = {row.day: getattr(row.figures, name) for row in days if row.forecaster == naive}
        lines.append((_NAMES[naive], naive.replace("_", "-"), found))
    return lines


def _chips(chosen: Chosen, name: str, offered: dict[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "is_chosen": getattr(chosen, name) == value,
            "query": replace(chosen, **cast("dict[str, Any]", {name: value})).query,
        }
        for value, label in offered.items()
    ]


def _api_query(asked: Asked, chosen: Chosen) -> dict[str, Any]:
    only = {"cohort": chosen.cohort} if chosen.cohort else {}
    return {"by": "day", "format": "csv", "first": asked.first, "until": asked.after, "day_ahead": chosen.ahead, **only}


def _first(told: list[Row]) -> str:
    """Return whose forecasts are shown unless told: of the most half-hours, those of meters before sums and devices."""

    def weight(row: Row) -> tuple[bool, int]:
        return row.cohort.startswith(f"{Subject.SERVICE_POINT.value}:"), row.figures.half_hours

    return max(told, key=weight).cohort if told else ""


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 5 else None
