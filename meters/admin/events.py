"""Events for other apps, and how far they are on their way."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of, each
from energy_portal.shared.admin import AppendOnlyAdmin, ReadOnlyInline, moment
from meters.admin.common import Question, ask_then, change_url, instant_column
from meters.models import DomainEvent, EventDelivery
from meters.services.deliveries import try_again

_COLOURS = {"handled": "success", "waiting": "info", "failed": "danger"}


class StateFilter(admin.SimpleListFilter):
    """Deliveries that wait, that failed, or that are done."""

    title = "state"
    parameter_name = "state"
    _states = {  # noqa: RUF012
        "waiting": Q(handled_at=None),
        "failed": Q(handled_at=None) & ~Q(error=""),
        "handled": Q(handled_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in self._states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EventDelivery]) -> QuerySet[EventDelivery]:
        wanted = self._states.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


class DeliveryInline(ReadOnlyInline):
    """Who hears of an event."""

    model = EventDelivery
    fields = readonly_fields = ("consumer", "handled", "attempts", "error")
    show_change_link = True
    tab = False
    handled = instant_column("handled_at", "Handled")


@admin.register(DomainEvent)
class DomainEventAdmin(AppendOnlyAdmin):
    """What happened, for the apps that listen."""

    list_display = ("recorded", "shown_kind", "service_point", "register", "from_", "until", "waiting")
    list_display_links = ("recorded", "shown_kind")
    list_select_related = ("service_point", "register__meter")
    list_filter = ("kind",)
    search_fields = ("service_point__code", "register__meter__serial")
    search_help_text = "Service point or meter serial"
    ordering = ("-id",)
    fields = (("kind", "recorded"), ("service_point", "register"), ("from_", "until"), "data")
    readonly_fields = ("recorded", "from_", "until")
    inlines = (DeliveryInline,)
    recorded = instant_column("recorded_at", "Recorded")
    from_ = instant_column("start", "From")
    until = instant_column("end", "Until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        waiting = Count("deliveries", filter=Q(deliveries__handled_at=None))
        events: QuerySet[Any] = super().get_queryset(request).annotate(waiting_count=waiting)
        return events

    @display(description="Kind", ordering="kind")
    def shown_kind(self, event: DomainEvent) -> str:
        return str(event.get_kind_display())

    @display(description="Wait for it")
    def waiting(self, event: Any) -> int:
        count: int = event.waiting_count
        return count


@admin.register(EventDelivery)
class EventDeliveryAdmin(AppendOnlyAdmin):
    """Events on their way to one consumer each."""

    list_display = ("event_kind", "consumer", "service_point", "recorded", "state", "attempts", "short_error")
    list_select_related = ("event__service_point",)
    list_filter = (StateFilter, ("consumer", admin.AllValuesFieldListFilter))
    search_fields = ("event__service_point__code", "consumer", "error")
    search_help_text = "Service point, consumer or error"
    ordering = ("-id",)
    fields = (("event", "consumer"), ("recorded", "handled"), ("state", "attempts"), "error")
    readonly_fields = ("recorded", "handled", "state")
    actions = ("try_again_each",)
    actions_detail = ("try_again",)
    handled = instant_column("handled_at", "Handled")

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may have events handled anew."""
        return bool(request.user.has_perm("meters.change_eventdelivery"))

    @display(description="Event", ordering="event__kind")
    def event_kind(self, delivery: EventDelivery) -> str:
        return str(delivery.event.get_kind_display())

    @display(description="Service point")
    def service_point(self, delivery: EventDelivery) -> str:
        return str(delivery.event.service_point or "-")

    @display(description="Recorded", ordering="event__recorded_at")
    def recorded(self, delivery: EventDelivery) -> str:
        return moment(delivery.event.recorded_at)

    @display(description="State", label=_COLOURS)
    def state(self, delivery: EventDelivery) -> str:
        if delivery.handled_at is not None:
            return "handled"
        return "failed" if delivery.error else "waiting"

    @display(description="Error")
    def short_error(self, delivery: EventDelivery) -> str:
        return delivery.error.partition("\n")[0][:80] or "-"

    @admin.action(description="Try again", permissions=["retry"])
    def try_again_each(self, request: HttpRequest, deliveries: QuerySet[EventDelivery]) -> None:
        """Have the selected events handled now, each after what waits before it."""
        actor, now = actor_of(request), timezone.now()
        waiting = deliveries.filter(handled_at=None).order_by("event")
        each(
            self,
            request,
            waiting,
            lambda delivery: try_again(delivery_id=delivery.pk, actor=actor, now=now),
            "{} handled.",
        )

    @action(description="Try again", url_path="try-again", permissions=["retry"], icon="replay")
    def try_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have an event handled now, after what waits before it at its service point."""
        delivery = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(_: forms.Form) -> str:
            handled = try_again(delivery_id=delivery.pk, actor=actor_of(request), now=timezone.now())
            return f"{handled} handled." if handled else "It was handled before."

        return ask_then(
            self,
            request,
            Question(
                title="Try again",
                intro=f"{delivery.consumer} handles the event now, after whatever waits before it at its place.",
                submit="Try again",
                back=change_url(EventDelivery, delivery.pk),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )
