"""What agents brought, and their photos: written by their phones, only read here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from energy_portal.shared.admin import AppendOnlyAdmin, moment
from field_ops.admin.common import SUBMISSION_COLOURS, page_link
from field_ops.models import Photo, Submission
from meters.admin.common import VisibleRows, dial_text, instant_column

_SUBMISSION_WITH = ("meter", "agent__user", "register", "photo", "approval__meter", "assignment__meter", "follows")


def photo_url(submission_id: object) -> str:
    """Return where the photo of a submission is served."""
    return reverse("field_ops:api_submission_photo", args=[submission_id])


def thumbnail(photo: Photo | None) -> SafeString | str:
    """Return a small picture that leads to the whole one; a dash where there is none."""
    if photo is None:
        return "-"
    url = photo_url(photo.submission_id)
    return format_html(
        '<a class="portal-thumb" href="{}"><img src="{}?size=thumbnail" alt="Photo of the meter" loading="lazy"></a>',
        url,
        url,
    )


@admin.register(Submission)
class SubmissionAdmin(VisibleRows, AppendOnlyAdmin):
    """What agents brought from meters."""

    list_display = ("received", "meter", "agent", "shown_value", "small", "shown_status")
    list_display_links = ("received", "meter")
    list_filter = ("status", "outcome", "obstacle", "meter__region")
    search_fields = ("meter__serial", "agent__user__name", "serial_given")
    search_help_text = "Serial or agent"
    export_without = ("small",)
    received = instant_column("received_at", "Received")
    read = instant_column("read_at", "Read, by the phone")
    readonly_fields = ("received", "read", "shown_value", "work", "approval", "where", "picture", "mends")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("meter", "agent"),
                    ("shown_value", "obstacle"),
                    ("status", "approval"),
                    "picture",
                    "notes",
                )
            },
        ),
        (
            "How it was taken",
            {
                "fields": (
                    ("read", "received"),
                    ("serial_given", "serial_scanned"),
                    ("where", "accuracy_m"),
                    ("work", "mends"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*_SUBMISSION_WITH)

    @display(description="Value")
    def shown_value(self, submission: Submission) -> str:
        if submission.value is None:
            return submission.get_obstacle_display()
        return dial_text(submission.value, submission.register)

    @display(description="Photo")
    def small(self, submission: Submission) -> SafeString | str:
        return thumbnail(getattr(submission, "photo", None))

    @display(description="Photo")
    def picture(self, submission: Submission) -> SafeString | str:
        return thumbnail(getattr(submission, "photo", None))

    @display(description="Status", ordering="status", label=SUBMISSION_COLOURS)
    def shown_status(self, submission: Submission) -> tuple[str, str]:
        return submission.status, submission.get_status_display()

    @display(description="Assignment")
    def work(self, submission: Submission) -> SafeString | str:
        return page_link(submission.assignment)

    @display(description="Sent again after")
    def mends(self, submission: Submission) -> SafeString | str:
        before = submission.follows
        return page_link(before, f"Sent {moment(before.received_at)}" if before is not None else "")

    @display(description="Approval")
    def approval(self, submission: Submission) -> SafeString | str:
        return page_link(getattr(submission, "approval", None))

    @display(description="Where")
    def where(self, submission: Submission) -> str:
        if submission.latitude is None or submission.longitude is None:
            return "-"
        return f"{submission.latitude:.5f}, {submission.longitude:.5f}"


@admin.register(Photo)
class PhotoAdmin(VisibleRows, AppendOnlyAdmin):
    """Photos of meters."""

    list_display = ("taken", "small", "meter", "agent", "size", "camera")
    list_filter = ("submission__status", "submission__meter__region")
    search_fields = ("submission__meter__serial", "submission__agent__user__name", "camera", "sha256")
    search_help_text = "Serial, agent, camera or SHA-256"
    export_without = ("small",)
    taken = instant_column("created_at", "Stored")
    by_camera = instant_column("taken_at", "Taken, by the camera")
    readonly_fields = ("taken", "by_camera", "small", "of", "agent", "size", "where")
    fieldsets = (
        (None, {"fields": ("small", ("of", "agent"), ("taken", "by_camera"), ("camera", "where"), "size")}),
        ("As it was sent", {"fields": (("sent_format", "sent_bytes"), "sha256")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("submission__meter", "submission__agent__user")

    @display(description="Photo")
    def small(self, photo: Photo) -> SafeString | str:
        return thumbnail(photo)

    @display(description="Meter", ordering="submission__meter__serial")
    def meter(self, photo: Photo) -> str:
        return photo.submission.meter.serial

    @display(description="Submission")
    def of(self, photo: Photo) -> SafeString | str:
        return page_link(photo.submission, f"{photo.submission.meter}, {moment(photo.submission.received_at)}")

    @display(description="Agent", ordering="submission__agent__user__name")
    def agent(self, photo: Photo) -> str:
        return str(photo.submission.agent)

    @display(description="Size")
    def size(self, photo: Photo) -> str:
        return f"{photo.width} by {photo.height}, {photo.stored_bytes / 1024:,.0f} kB"

    @display(description="Where, by the camera")
    def where(self, photo: Photo) -> str:
        if photo.taken_latitude is None or photo.taken_longitude is None:
            return "-"
        return f"{photo.taken_latitude:.5f}, {photo.taken_longitude:.5f}"
