"""Work that comes back: rounds, their stops, and what each run made."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed
from energy_portal.shared.admin import PortalAdmin
from field_ops.admin.common import person
from field_ops.models import Round, RoundRun
from field_ops.selectors.assignments import agents_to_send, meters_to_read
from field_ops.services.rounds import make_round_now, save_round
from meters.admin.common import Question, RelatedInline, VisibleRows, ask_then, change_url, instant_column
from meters.models import Meter, Region

_UNKNOWN_SHOWN = 5


class RoundForm(forms.ModelForm[Round]):
    """A round, with its own sequence of meters by their serials."""

    meters: QuerySet[Meter]
    stops = forms.CharField(
        label="Meters in their order",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        help_text="Serials, one a line; empty: all active meters of the region, on the shortest way.",
    )

    class Meta:
        model = Round
        fields = ("name", "region", "agent", "every_months", "next_on", "days_to_finish", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None and not self.instance._state.adding:
            serials = self.instance.stops.order_by("position").values_list("meter__serial", flat=True)
            self.fields["stops"].initial = "\n".join(serials)

    def clean_stops(self) -> list[Any]:
        """Return the ids of the meters, in their order; every serial has to be known."""
        serials = list(dict.fromkeys(self.cleaned_data["stops"].split()))
        known = dict(self.meters.filter(serial__in=serials).values_list("serial", "pk"))
        unknown = [serial for serial in serials if serial not in known]
        if unknown:
            names = ", ".join(unknown[:_UNKNOWN_SHOWN])
            more = f" and {len(unknown) - _UNKNOWN_SHOWN} more" if len(unknown) > _UNKNOWN_SHOWN else ""
            raise ValidationError(f"No meter of yours is called {names}{more}.", code="unknown_meter")
        return [known[serial] for serial in serials]


class RunInline(RelatedInline):
    """What a round made, each time."""

    model = RoundRun
    fields = readonly_fields = ("on", "made_when", "made", "skipped")
    ordering = ("-on",)
    verbose_name_plural = "runs"
    made_when = instant_column("made_at", "Made at")


@admin.register(Round)
class RoundAdmin(VisibleRows, ServiceAdmin, PortalAdmin):
    """Rounds."""

    form = RoundForm
    list_display = ("name", "region", "agent", "every", "next_on", "stop_total", "is_active")
    list_filter = ("is_active", "region")
    search_fields = ("name", "region__name", "agent__user__name")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", ("region", "agent"), ("every_months", "next_on"), ("days_to_finish", "is_active"))}),
        ("Stops", {"fields": ("stops",)}),
    )
    inlines = (RunInline,)
    actions_detail = ("make_now",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("region", "agent__user")
        counted: QuerySet[Any] = rows.annotate(stop_count=Count("stops"))
        return counted

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Offer the regions, agents and meters that the person looks after."""
        made: Any = super().get_form(request, obj, change=change, **kwargs)
        made.meters = meters_to_read(person(request))
        return made

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer what the person looks after."""
        offered = {
            "region": Region.objects.visible_to(person(request)),
            "agent": agents_to_send(person(request)).select_related("user"),
        }
        return super().formfield_for_foreignkey(db_field, request, queryset=offered[db_field.name], **kwargs)

    def save_model(self, request: HttpRequest, obj: Round, form: Any, change: bool) -> None:
        """Enter or change a round by the service."""
        values = changed(form) if change else dict(form.cleaned_data)
        stops = values.pop("stops", None)
        made = save_round(
            round_id=obj.pk if change else None,
            values=values,
            meter_ids=stops,
            actor=actor_of(request),
            now=timezone.now(),
        )
        adopt(obj, made)

    @display(description="Every", ordering="every_months")
    def every(self, repeated: Round) -> str:
        return "month" if repeated.every_months == 1 else f"{repeated.every_months} months"

    @display(description="Stops", ordering="stop_count")
    def stop_total(self, repeated: Any) -> str:
        return str(repeated.stop_count) if repeated.stop_count else "all of its region"

    @action(description="Make now", url_path="make", permissions=["change"], icon="play_arrow")
    def make_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make the round's assignments without waiting for its day."""
        found = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: forms.Form) -> str:
            run = make_round_now(round_id=found.pk, actor=actor_of(request), now=timezone.now())
            return f"{run.made} given out; {run.skipped} left, most because they have open work already."

        question = Question(
            title=f"Make {found} now",
            intro=f"Its meters are given out at once. Its next day stays {found.next_on:%-d %b %Y}.",
            submit="Make",
            back=change_url(Round, found.pk),
        )
        return ask_then(
            self, request, question, form=forms.Form(request.POST if request.method == "POST" else None), act=act
        )
