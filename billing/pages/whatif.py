"""What an account's past months would have cost by other tariffs; for staff, what a file of half-hours would cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.roles import Role
from billing.models import Tariff
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.selectors.pricing import NotPriced
from billing.selectors.quotes import Quote, quote_tariff
from billing.selectors.tariffs import tariffs_with_versions, words_of
from billing.selectors.what_if import MOST_TARIFFS, Comparison, compare, months_before, offered_tariffs
from energy_portal.shared.clock import LabelConvention, Period, YearMonth, zone
from energy_portal.shared.errors import DomainError
from meters.formats.layout import Stamps
from meters.formats.profile import read_profile

MONTHS_OFFERED = 13
YEAR = "year"
_STAFF = frozenset({Role.ADMIN, Role.MANAGER})
_LABELS = (
    (LabelConvention.PERIOD_END, _("the end of the half-hour")),
    (LabelConvention.PERIOD_START, _("the start of the half-hour")),
    (LabelConvention.END_MINUS_ONE, _("the last minute of the half-hour")),
)


@dataclass(frozen=True)
class Choice:
    """Something to choose, and whether it is chosen."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Priced:
    """A file's half-hours by one tariff; ``quote`` is None where it has no price, as ``because`` says."""

    tariff: Tariff
    quote: Quote | None
    because: str = ""


@customer_page
def what_if(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show what a month or a year would have cost by chosen tariffs, beside what was billed."""
    now = timezone.now()
    months = months_before(now=now, account_zone=chosen.account.zone, count=MONTHS_OFFERED)
    span = _span(request.GET, months)
    offered = offered_tariffs(account=chosen.account)
    tariffs = _tariffs(request.GET, offered)
    compared: Comparison | None = None
    if tariffs:
        compared = compare(account=chosen.account, months=span, tariffs=tariffs, now=now)
    wanted = request.GET.get("span", str(months[-1]))
    context = {
        "chosen": chosen,
        "spans": [
            *(
                Choice(str(month), date_format(month.first_day, gettext("F Y")), str(month) == wanted)
                for month in reversed(months)
            ),
            Choice(YEAR, str(_("The last twelve months")), wanted == YEAR),
        ],
        "tariffs": [Choice(tariff.code, tariff.name, tariff in tariffs) for tariff in offered],
        "most": MOST_TARIFFS,
        "compared": compared,
        "lowest": _lowest(compared),
        "words": _words(tariffs),
        "is_long": len(span) > 1,
    }
    return render(request, "billing/what_if.html", context)


class FileForm(forms.Form):
    """A file of half-hours, how its times are meant, and by which tariffs it is priced."""

    file = forms.FileField(
        label=_("File"), help_text=_("A table with the columns time and kwh; also NEM12 and Green Button.")
    )
    zone = forms.CharField(label=_("Time zone"), max_length=60)
    labels = forms.ChoiceField(label=_("Its times name"), choices=_LABELS)
    tariffs = forms.ModelMultipleChoiceField(
        label=_("Tariffs"), queryset=Tariff.objects.none(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tariffs"].queryset = Tariff.objects.select_related("tax").order_by("name")  # type: ignore[attr-defined]


@login_required
@never_cache
def what_if_file(request: LoggedInRequest) -> HttpResponse:
    """Price a file of half-hours, which is not kept, by chosen tariffs."""
    if request.user.role not in _STAFF:
        raise PermissionDenied
    priced: list[Priced] = []
    form = FileForm(initial={"zone": settings.SITE_ZONE, "labels": LabelConvention.PERIOD_END})
    if request.method == "POST":
        form = FileForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                priced = _priced(form.cleaned_data)
            except DomainError as error:
                form.add_error("zone" if error.code == "unknown_zone" else "file", str(error))
    return render(request, "billing/what_if_file.html", {"form": form, "priced": priced})


def _priced(given: dict[str, Any]) -> list[Priced]:
    site = zone(given["zone"])
    profile = read_profile(given["file"], stamps=Stamps(site, LabelConvention(given["labels"])))
    period = Period(profile.imported.start, profile.imported.end)
    found = []
    for tariff in given["tariffs"]:
        try:
            quote = quote_tariff(
                tariff=tariff, profile=profile.imported, exported=profile.exported, zone=site, period=period
            )
        except NotPriced as error:
            found.append(Priced(tariff, None, str(error)))
        else:
            found.append(Priced(tariff, quote))
    return found


def _span(query: QueryDict, months: Sequence[YearMonth]) -> Sequence[YearMonth]:
    """Read which months are asked for; what cannot be read becomes the last one."""
    wanted = query.get("span", "")
    if wanted == YEAR:
        return months[-12:]
    return [next((month for month in months if str(month) == wanted), months[-1])]


def _tariffs(query: QueryDict, offered: Sequence[Tariff]) -> list[Tariff]:
    codes = set(query.getlist("tariff"))
    found = [tariff for tariff in offered if tariff.code in codes]
    return (found or list(offered))[:MOST_TARIFFS]


def _lowest(compared: Comparison | None) -> Decimal | None:
    """Return the lowest total of tariffs that have a price in every month that any has one in."""
    sums = compared.sums if compared else ()
    most = max((each.months for each in sums), default=0)
    return min((each.total for each in sums if each.months == most and most), default=None)


def _words(tariffs: Sequence[Tariff]) -> list[tuple[Tariff, list[Any]]]:
    """Say what the latest version of each tariff charges."""
    stored = {tariff.pk: tariff for tariff in tariffs_with_versions().filter(pk__in=[each.pk for each in tariffs])}
    said = []
    for tariff in tariffs:
        versions = list(stored[tariff.pk].versions.all())
        if versions:
            # They come in the order of their days.
            said.append((tariff, words_of(list(versions[-1].components.all()), tariff.currency)))
    return said
