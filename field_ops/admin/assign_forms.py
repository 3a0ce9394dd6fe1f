"""What a manager fills in to send agents: which meters, who goes, and by when."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import User
from energy_portal.shared.clock import zone
from field_ops.admin.common import day_field
from field_ops.models import Agent
from field_ops.selectors.assignments import agents_to_send
from field_ops.selectors.choosing import ANY_WORK, NO_WORK, OVERDUE, UNASSIGNED, Wanted
from meters.models import Meter, Region

_WORK = {
    NO_WORK: "No open assignment",
    UNASSIGNED: "Open, nobody has it",
    OVERDUE: "Overdue",
    ANY_WORK: "Whatever there is",
}


def midnight(day: date) -> datetime:
    """Return the start of a day on the site's clock."""
    return datetime.combine(day, time(), tzinfo=zone(settings.SITE_ZONE))


def end_of_day(day: date) -> datetime:
    """Return the last minute of a day on the site's clock."""
    return datetime.combine(day, time(23, 59), tzinfo=zone(settings.SITE_ZONE))


def usual_day(now: datetime) -> date:
    """Return the day by which work is due unless told otherwise."""
    return timezone.localtime(now + timedelta(days=settings.FIELD_DUE_DAYS), zone(settings.SITE_ZONE)).date()


class ChooseForm(forms.Form):
    """Which meters to choose from."""

    region = forms.ModelChoiceField(queryset=Region.objects.none(), required=False, empty_label="All regions")
    status = forms.ChoiceField(
        label="Meter's status", required=False, choices=[("", "Any status"), *Meter.Status.choices]
    )
    priority = forms.ChoiceField(required=False, choices=[("", "Any priority"), *Meter.Priority.choices])
    read_before = forms.DateField(
        label="Not read since", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    work = forms.ChoiceField(label="Assignment", required=False, choices=list(_WORK.items()))
    serial = forms.CharField(
        label="Serial begins", required=False, max_length=64, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data or {"status": Meter.Status.ACTIVE, "work": NO_WORK})
        self.fields["region"].queryset = Region.objects.visible_to(user)  # type: ignore[attr-defined]

    def wanted(self) -> Wanted:
        """Return which meters; what is not understood narrows nothing."""
        self.full_clean()
        given = self.cleaned_data
        region, day = given.get("region"), given.get("read_before")
        return Wanted(
            region_id=None if region is None else region.pk,
            status=given.get("status", ""),
            priority=given.get("priority", ""),
            read_before=None if day is None else midnight(day),
            work=given.get("work") or NO_WORK,
            serial=given.get("serial", ""),
        )


class SendForm(forms.Form):
    """The chosen meters, who may be sent, and by when it is to be done."""

    due_on = forms.DateField(label="Due by the end of", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    agents = forms.ModelMultipleChoiceField(queryset=Agent.objects.none(), required=False)
    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), required=False, empty_label="Nobody yet")

    def __init__(self, data: Any = None, *, user: User, now: datetime) -> None:
        super().__init__(data, initial={"due_on": usual_day(now)})
        self.fields["due_on"].widget.attrs["min"] = timezone.localdate(now).isoformat()
        agents = theirs(user)
        self.fields["agents"].queryset = agents  # type: ignore[attr-defined]
        self.fields["agent"].queryset = agents  # type: ignore[attr-defined]

    def due_at(self) -> datetime | None:
        """Return by when, None for the usual days from now."""
        day = self.cleaned_data.get("due_on")
        return None if day is None else end_of_day(day)


class SomebodyForm(forms.Form):
    """Who is sent, and by when it is to be done."""

    agent = forms.ModelChoiceField(
        queryset=Agent.objects.none(),
        required=False,
        empty_label="The nearest with room",
        widget=UnfoldAdminSelectWidget,
    )
    due_on = day_field("Due by the end of", help_text="Empty: in the usual time.")

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.fields["agent"].queryset = theirs(user)  # type: ignore[attr-defined]

    def agent_id(self) -> UUID | None:
        """Return who was chosen, None for the nearest with room."""
        chosen = self.cleaned_data["agent"]
        return None if chosen is None else chosen.pk

    def due_at(self) -> datetime | None:
        """Return by when, None for the usual days from now."""
        day = self.cleaned_data["due_on"]
        return None if day is None else end_of_day(day)


def theirs(user: User) -> QuerySet[Agent]:
    """Return the agents that somebody may send now, by name."""
    return agents_to_send(user).filter(user__status=User.Status.ACTIVE).select_related("user", "region")


def ids_in(texts: Iterable[str]) -> list[UUID]:
    """Return the ids among some texts, each once and in order; what is none is left out."""
    found: dict[UUID, None] = {}
    for text in texts:
        try:
            found[UUID(text)] = None
        except ValueError:
            continue
    return list(found)


def chosen_meters(sent: QueryDict) -> list[UUID]:
    """Return the meters that were ticked."""
    return ids_in(sent.getlist("meters"))
