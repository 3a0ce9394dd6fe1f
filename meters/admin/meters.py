"""Meters and their registers, with the newest readings of each register."""

from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Field, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from accounts.models import User
from energy_portal.shared.admin import HistoryAdmin, moment
from meters.admin.acts import CorrectionForm, EstimateForm, MultiplierForm, minute_text
from meters.admin.common import Question, VisibleRows, ask_then, change_url, dial_text, estimated_in_words
from meters.admin.exports import ReadingsExport
from meters.admin.history import asked_instant, history_of
from meters.admin.panels import day_rows, readings_table
from meters.models import Meter, Register, RegisterReading
from meters.selectors.desk import newest_days, newest_readings, with_place
from meters.selectors.timeline import Kind, meter_history
from meters.services.chain import change_multiplier
from meters.services.corrections import correct_reading
from meters.services.estimating import estimate_meter
from meters.services.regions import hold_regions, place_meters
from meters.services.status import change_meter_status

_STATUS_COLOURS = {
    Meter.Status.PENDING: "info",
    Meter.Status.ACTIVE: "success",
    Meter.Status.INACTIVE: "warning",
    Meter.Status.MAINTENANCE: "warning",
    Meter.Status.OUT_OF_SERVICE: "danger",
}
_FIXED_ONCE_READ = ("code", "direction", "kind", "unit", "digits", "decimals", "multiplier")


class RegisterInline(TabularInline):  # type: ignore[misc]
    """The registers of a meter: added with it, then only changed by an event."""

    model = Register
    extra = 0
    min_num = 1
    can_delete = False
    fields = _FIXED_ONCE_READ
    show_change_link = True

    def get_readonly_fields(self, request: HttpRequest, obj: Meter | None = None) -> tuple[str, ...]:
        return _FIXED_ONCE_READ if obj is not None else ()

    def has_add_permission(self, request: HttpRequest, obj: Meter | None = None) -> bool:
        return obj is None and bool(super().has_add_permission(request, obj))


@admin.register(Meter)
class MeterAdmin(ReadingsExport, VisibleRows, HistoryAdmin):
    """Meters."""

    list_display = ("serial", "type", "place", "newest_reading", "priority", "shown_status")
    list_filter = ("status", "type", "priority", "region")
    search_fields = (
        "serial",
        "address",
        "installations__service_point__code",
        "installations__service_point__premises__address",
        "installations__service_point__bindings__account__number",
    )
    search_help_text = "Serial, address, service point or account number"
    readonly_fields = ("status", "region", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": (("serial", "type"), ("status", "priority"), "address", ("location_id", "owner"))}),
        (
            "Where it is",
            {"fields": (("latitude", "longitude"), ("region", "estimated_time")), "classes": ("collapse",)},
        ),
        ("More", {"fields": ("metadata", "created_at", "updated_at"), "classes": ("collapse",)}),
    )
    inlines = (RegisterInline,)
    actions = ("export_readings", "mark_active", "mark_maintenance", "mark_out_of_service")
    actions_detail = ("estimate_missing",)
    change_form_outer_after_template = "admin/meters/meter_readings.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        meters = with_place(super().get_queryset(request), now=timezone.now())
        return meters.prefetch_related("registers__state")

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "address":
            field.widget.attrs["rows"] = 2
        return field

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        """Save a meter and put it into the region where it lies."""
        hold_regions()
        super().save_model(request, obj, form, change)
        place_meters([obj.pk])

    @display(description="Service point", empty_value="not installed")
    def place(self, meter: Any) -> str | None:
        code: str | None = meter.place
        return code

    @display(description="Newest reading")
    def newest_reading(self, meter: Meter) -> str:
        states = [register.state for register in meter.registers.all() if hasattr(register, "state")]
        newest = max((state.last_time for state in states if state.last_time), default=None)
        return moment(newest)

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)
    def shown_status(self, meter: Meter) -> tuple[str, str]:
        return meter.status, meter.get_status_display()

    @admin.action(description="Put into service", permissions=["change"])
    def mark_active(self, request: HttpRequest, meters: QuerySet[Meter]) -> None:
        """Let readings of the selected meters enter."""
        self._mark(request, meters, Meter.Status.ACTIVE)

    @admin.action(description="Put into maintenance", permissions=["change"])
    def mark_maintenance(self, request: HttpRequest, meters: QuerySet[Meter]) -> None:
        """Say that the selected meters are being worked on."""
        self._mark(request, meters, Meter.Status.MAINTENANCE)

    @admin.action(description="Take out of service", permissions=["change"])
    def mark_out_of_service(self, request: HttpRequest, meters: QuerySet[Meter]) -> None:
        """Refuse readings of the selected meters from now on."""
        self._mark(request, meters, Meter.Status.OUT_OF_SERVICE)

    def _mark(self, request: HttpRequest, meters: QuerySet[Meter], status: Meter.Status) -> None:
        now = timezone.now()
        keys = list(meters.values_list("pk", flat=True))
        for key in keys:
            change_meter_status(meter_id=key, status=status, actor=actor_of(request), now=now)
        self.message_user(request, f"{len(keys)} meters: {status.label.lower()}.", messages.SUCCESS)

    @action(description="Estimate missing half-hours", url_path="estimate", permissions=["change"], icon="timeline")
    def estimate_missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Estimate what is missing of all registers in a stretch of time."""
        meter = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: EstimateForm) -> str:
            reports = estimate_meter(
                meter=meter,
                start=form.cleaned_data["start"],
                end=form.cleaned_data["end"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return estimated_in_words(reports)

        return ask_then(
            self,
            request,
            Question(
                title="Estimate missing half-hours",
                intro=f"Whatever {meter} did not report is estimated; what it did report stays as it is.",
                submit="Estimate",
                back=change_url(Meter, meter.pk),
            ),
            form=EstimateForm(request.POST or None, now=timezone.now()),
            act=act,
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add a page of each register's readings, its days and what happened to it."""
        meter = self.get_object(request, object_id)
        context = {**(extra_context or {})}
        if isinstance(meter, Meter):
            before, wanted = asked_instant(request, "before"), request.GET.get("register", "")
            registers = list(meter.registers.all())
            context["pages"] = [
                readings_table(
                    newest_readings(register=register, before=before if str(register.pk) == wanted else None)
                )
                for register in registers
            ]
            context["is_older"] = before is not None
            context["days"] = day_rows(newest_days(registers=registers))
            context["history"] = history_of(request, partial(meter_history, meter=meter), without={Kind.SUPPLY})
        return super().change_view(request, object_id, form_url, context)


@admin.register(Register)
class RegisterAdmin(HistoryAdmin):
    """Registers: their properties are those of the device, so only events change them."""

    list_display = ("meter", "code", "direction", "unit", "multiplier", "last_time", "last_value")
    list_filter = ("direction", "kind", "unit")
    list_select_related = ("meter", "state")
    list_display_links = ("meter", "code")
    search_fields = ("meter__serial", "meter__installations__service_point__bindings__account__number")
    readonly_fields = ("meter", *_FIXED_ONCE_READ)
    fieldsets = ((None, {"fields": ("meter", *_FIXED_ONCE_READ)}),)
    actions_detail = ("change_multiplier", "correct_reading")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        registers: QuerySet[Any] = super().get_queryset(request)
        return registers.filter(meter__in=Meter.objects.visible_to(cast("User", request.user)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Newest reading", ordering="state__last_time")
    def last_time(self, register: Register) -> str:
        return moment(register.state.last_time if hasattr(register, "state") else None)

    @display(description="Shows")
    def last_value(self, register: Register) -> str:
        return dial_text(register.state.last_value if hasattr(register, "state") else None, register)

    @action(description="Change multiplier", url_path="multiplier", permissions=["change"], icon="close")
    def change_multiplier(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let another multiplier count from an instant on."""
        register = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: MultiplierForm) -> str:
            change_multiplier(
                register=register,
                multiplier=form.cleaned_data["multiplier"],
                value=form.cleaned_data["value"],
                at=form.cleaned_data["at"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{register} counts {form.cleaned_data['multiplier']} times from then on."

        return ask_then(
            self,
            request,
            Question(
                title="Change the multiplier",
                intro=f"{register} counts {register.multiplier} times now.",
                submit="Change",
                back=change_url(Register, register.pk),
            ),
            form=MultiplierForm(request.POST or None),
            act=act,
        )

    @action(description="Correct a reading", url_path="correct", permissions=["change"], icon="edit")
    def correct_reading(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let another value stand at an instant, or none."""
        register = get_object_or_404(self.get_queryset(request), pk=object_id)
        at = asked_instant(request, "time")
        standing = RegisterReading.objects.filter(register=register, time=at).first() if at is not None else None

        def act(form: CorrectionForm) -> str:
            correction = correct_reading(
                register=register,
                time=form.cleaned_data["at"],
                value=form.cleaned_data["value"],
                reason=form.cleaned_data["note"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"{correction.register} {moment(correction.time)} is corrected."

        shown = f" {dial_text(standing.value, register)} stands." if standing is not None else ""
        return ask_then(
            self,
            request,
            Question(
                title="Correct a reading",
                intro=f"{register}: what stood is kept, and drafted bills are rated anew.{shown}",
                submit="Correct",
                back=change_url(Meter, register.meter_id),
            ),
            form=CorrectionForm(
                request.POST if request.method == "POST" else None,
                initial={"at": minute_text(at)} if at is not None else None,
            ),
            act=act,
        )
