"""Bindings, installations and chain events: written by the acts on a service point, only read here."""

from django.contrib import admin
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import RelatedInline, Since, VisibleRows, dial_text, instant_column
from meters.models import Binding, ChainEvent, Installation

_EVENT_COLOURS = {
    ChainEvent.Kind.INSTALLED: "success",
    ChainEvent.Kind.REMOVED: "warning",
    ChainEvent.Kind.MULTIPLIER_CHANGED: "danger",
    ChainEvent.Kind.MOVED_IN: "info",
    ChainEvent.Kind.MOVED_OUT: "warning",
}


class _SinceColumns:
    @display(description="From", ordering="valid")
    def since(self, row: Binding | Installation) -> str:
        return Since.start(row)

    @display(description="Until")
    def until(self, row: Binding | Installation) -> str:
        return Since.end(row)


@admin.register(Binding)
class BindingAdmin(_SinceColumns, VisibleRows, AppendOnlyAdmin):
    """Who was supplied where and when."""

    list_display = ("service_point", "account", "since", "until")
    list_select_related = ("service_point", "account")
    search_fields = (
        "account__number",
        "account__owner_name",
        "service_point__code",
        "service_point__premises__address",
        "service_point__installations__meter__serial",
    )
    fields = ("service_point", "account", "since", "until", "created_at")


@admin.register(Installation)
class InstallationAdmin(_SinceColumns, VisibleRows, AppendOnlyAdmin):
    """Which meter hung where and when."""

    list_display = ("meter", "service_point", "since", "until")
    list_select_related = ("meter", "service_point")
    search_fields = (
        "meter__serial",
        "service_point__code",
        "service_point__premises__address",
        "service_point__bindings__account__number",
    )
    fields = ("meter", "service_point", "since", "until", "created_at")


@admin.register(ChainEvent)
class ChainEventAdmin(VisibleRows, AppendOnlyAdmin):
    """What happened at service points."""

    list_display = ("when", "shown_kind", "service_point", "register", "shown_value", "multiplier", "account")
    when = instant_column("at", "At")
    list_select_related = ("service_point", "register__meter", "account")
    list_filter = ("kind",)
    ordering = ("-at",)
    search_fields = (
        "service_point__code",
        "service_point__premises__address",
        "register__meter__serial",
        "account__number",
    )

    @display(description="Shows", ordering="value")
    def shown_value(self, event: ChainEvent) -> str:
        return dial_text(event.value, event.register)

    @display(description="What", ordering="kind", label=_EVENT_COLOURS)
    def shown_kind(self, event: ChainEvent) -> tuple[str, str]:
        return event.kind, event.get_kind_display()


class BindingInline(_SinceColumns, RelatedInline):
    """Who is and was supplied at a service point."""

    model = Binding
    fields = readonly_fields = ("account", "since", "until")
    related = ("service_point", "account")
    ordering = ("-valid",)


class InstallationInline(_SinceColumns, RelatedInline):
    """Which meter hangs and hung at a service point."""

    model = Installation
    fields = readonly_fields = ("meter", "since", "until")
    ordering = ("-valid",)
    verbose_name_plural = "meters"
    related = ("service_point", "meter")


class ChainEventInline(RelatedInline):
    """What happened at a service point."""

    model = ChainEvent
    fields = readonly_fields = ("when", "kind", "register", "shown_value", "multiplier", "account")
    ordering = ("-at",)
    verbose_name_plural = "events"
    related = ("service_point", "register__meter", "account")
    when = instant_column("at", "At")

    @display(description="Shows")
    def shown_value(self, event: ChainEvent) -> str:
        return dial_text(event.value, event.register)
