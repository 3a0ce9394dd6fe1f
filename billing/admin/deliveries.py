"""Mails about bills: what became of each, and sending one again."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from billing.models import BillDelivery
from billing.services.deliveries import resend
from energy_portal.shared.admin import AppendOnlyAdmin, BoundedPaginator, moment
from energy_portal.shared.errors import DomainError


@admin.register(BillDelivery)
class BillDeliveryAdmin(AppendOnlyAdmin):
    list_display = ("document", "account", "status_label", "queued", "sent", "addresses", "attempts", "error")
    list_select_related = ("bill__account",)
    list_filter = ("status",)
    paginator = BoundedPaginator
    search_fields = ("^bill__number", "^bill__account__number", "bill__account__owner_name")
    search_help_text = "Bill number, account number or name"
    actions = ("send_selected_again",)
    actions_detail = ("send_again",)
    fields = (
        "document",
        "account",
        "status_label",
        "queued",
        "next_attempt",
        "attempts",
        "addresses",
        "sent",
        "error",
    )
    readonly_fields = fields

    def has_resend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.change_billdelivery")

    @admin.action(description="Send selected again", permissions=["resend"])
    def send_selected_again(self, request: HttpRequest, queryset: QuerySet[BillDelivery]) -> None:
        """Queue the selected mails anew, whatever became of them."""
        queued = sum(self._resend(request, key) for key in queryset.order_by("pk").values_list("pk", flat=True))
        if queued:
            self.message_user(request, f"{queued} {'mail' if queued == 1 else 'mails'} queued.")

    @action(description="Send again", url_path="resend", permissions=["resend"], icon="forward_to_inbox")
    def send_again(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Queue this mail anew."""
        if self._resend(request, object_id):
            self.message_user(request, "The mail is queued.")
        return redirect(reverse("admin:billing_billdelivery_change", args=(object_id,)))

    def _resend(self, request: HttpRequest, key: int) -> bool:
        try:
            resend(delivery_id=key, actor=actor_of(request), now=timezone.now())
        except DomainError as error:
            self.message_user(request, str(error), messages.WARNING)
            return False
        return True

    @display(description="Document", ordering="bill__number")
    def document(self, delivery: BillDelivery) -> str:
        return str(delivery.bill)

    @display(description="Account", ordering="bill__account__number")
    def account(self, delivery: BillDelivery) -> str:
        return str(delivery.bill.account)

    @display(
        description="Status",
        ordering="status",
        label={"queued": "info", "sent": "success", "failed": "danger", "no_address": "warning"},
    )
    def status_label(self, delivery: BillDelivery) -> tuple[str, str]:
        return delivery.status, delivery.get_status_display()

    @display(description="Queued", ordering="queued_at")
    def queued(self, delivery: BillDelivery) -> str:
        return moment(delivery.queued_at)

    @display(description="Next attempt", ordering="next_attempt_at")
    def next_attempt(self, delivery: BillDelivery) -> str:
        return moment(delivery.next_attempt_at if delivery.status == BillDelivery.Status.QUEUED else None)

    @display(description="Sent", ordering="sent_at")
    def sent(self, delivery: BillDelivery) -> str:
        return moment(delivery.sent_at)

    @display(description="Addresses")
    def addresses(self, delivery: BillDelivery) -> str:
        return ", ".join(delivery.sent_to)
