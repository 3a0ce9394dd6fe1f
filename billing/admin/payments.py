"""Payments by hand, taken back and paid back; what accounts owe; and who was reminded of what."""

from typing import Any, ClassVar
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin.common import ServiceAdmin, actor_of, adopt
from accounts.admin.customers import CustomerAccountAdmin
from accounts.models import CustomerAccount
from billing.models import Payment, Reminder
from billing.selectors.balance import account_balance
from billing.services.payments import Money, Told, find_payee, record_payment, record_refund, reverse_payment
from energy_portal.shared.admin import AppendOnlyAdmin, PortalAdmin, moment
from meters.admin.common import Question, ask_then, change_url

_KIND_COLOURS = {"payment": "success", "refund": "info", "reversal": "warning"}
_REMINDER_COLOURS = {"queued": "info", "sent": "success", "dropped": "default", "unaddressed": "warning"}


class PaymentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Money that came in or went back; the key makes of a form that is sent twice one entry."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=100)
    kind = forms.ChoiceField(
        choices=((Payment.Kind.PAYMENT, "Payment, came in"), (Payment.Kind.REFUND, "Refund, paid back")),
        widget=UnfoldAdminSelectWidget,
    )
    account_number = forms.CharField(required=False, max_length=40, widget=UnfoldAdminTextInputWidget)
    bill_number = forms.CharField(
        required=False, max_length=40, widget=UnfoldAdminTextInputWidget, help_text="Either of the two is enough."
    )
    amount = forms.DecimalField(
        min_value=0, max_digits=14, decimal_places=2, localize=False, widget=UnfoldAdminDecimalFieldWidget
    )
    currency = forms.CharField(min_length=3, max_length=3, widget=UnfoldAdminTextInputWidget, initial="SGD")
    received_on = forms.DateField(widget=UnfoldAdminDateWidget, initial=timezone.localdate)

    class Meta:
        model = Payment
        fields = ("reference",)
        widgets: ClassVar = {"reference": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "key" in self.fields:
            self.fields["key"].initial = uuid4().hex


class ReasonForm(forms.Form):
    """Why an entry is taken back."""

    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextInputWidget, help_text="Such as: bounced.")
    received_on = forms.DateField(label="Moved back on", widget=UnfoldAdminDateWidget, initial=timezone.localdate)


@admin.register(Payment)
class PaymentAdmin(ServiceAdmin, PortalAdmin):
    """The ledger: entries are added and taken back, never changed."""

    form = PaymentForm
    list_display = ("day", "account", "kind_label", "amount", "currency", "origin", "reference", "taken_back")
    list_select_related = ("account", "reversed_by")
    list_filter = ("kind", "origin", "currency")
    search_fields = ("^account__number", "account__owner_name", "^bill__number", "=external_id", "reference")
    search_help_text = "Account or bill number, name, the provider's id, or what the payer wrote"
    date_hierarchy = "received_on"
    actions_detail = ("take_back",)
    _told = (
        "account",
        "owes",
        "kind_label",
        "amount",
        "currency",
        "received_on",
        "booked_at",
        "origin",
        "source",
        "external_id",
        "bill",
        "reverses",
        "taken_back",
        "reference",
        "recorded_by",
    )
    _asked = ("key", "kind", "account_number", "bill_number", "amount", "currency", "received_on", "reference")

    def get_fields(self, request: HttpRequest, obj: Payment | None = None) -> Any:
        return self._asked if obj is None else self._told

    def get_readonly_fields(self, request: HttpRequest, obj: Payment | None = None) -> Any:
        return () if obj is None else self._told

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_reverse_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(self.has_add_permission(request))

    def save_model(self, request: HttpRequest, obj: Payment, form: Any, change: bool) -> None:
        """Record the money by the service; the object becomes the entry that stands for it."""
        said = form.cleaned_data
        payee = find_payee(account_number=said["account_number"].strip(), bill_number=said["bill_number"].strip())
        money = Money(said["amount"], said["currency"].upper(), said["received_on"], said["reference"])
        record = record_refund if said["kind"] == Payment.Kind.REFUND else record_payment
        told = Told(Payment.Origin.MANUAL, f"form:{said['key']}")
        adopt(obj, record(payee=payee, money=money, told=told, actor=actor_of(request), now=timezone.now()).payment)

    @action(description="Take it back", url_path="take-back", permissions=["reverse"], icon="undo")
    def take_back(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Ask why, and enter the contrary."""
        payment = Payment.objects.select_related("account").get(pk=object_id)

        def act(form: ReasonForm) -> str:
            reverse_payment(
                payment_id=payment.pk,
                reason=form.cleaned_data["reason"],
                received_on=form.cleaned_data["received_on"],
                told=Told(Payment.Origin.MANUAL),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return "It was taken back."

        question = Question(
            title=f"Take back {payment}",
            intro=f"Of account {payment.account}. The entry stands; a contrary one that names it is added.",
            submit="Take it back",
            back=change_url(Payment, payment.pk),
        )
        return ask_then(self, request, question, form=ReasonForm(request.POST or None), act=act)

    @display(description="Day", ordering="received_on")
    def day(self, payment: Payment) -> str:
        return f"{payment.received_on:%Y-%m-%d}"

    @display(description="Kind", ordering="kind", label=_KIND_COLOURS)
    def kind_label(self, payment: Payment) -> tuple[str, str]:
        return payment.kind, payment.get_kind_display()

    @display(description="Taken back")
    def taken_back(self, payment: Payment) -> str:
        taken: Payment | None = getattr(payment, "reversed_by", None)
        return moment(taken.booked_at) if taken else "-"

    @display(description="The account owes now")
    def owes(self, payment: Payment) -> SafeString:
        return owed_by(payment.account)


@admin.register(Reminder)
class ReminderAdmin(AppendOnlyAdmin):
    """Who was reminded of which bill, when, and with what outcome."""

    list_display = ("bill", "account", "level", "status_label", "open_amount", "currency", "due_on", "sent", "sent_to")
    list_select_related = ("bill", "account")
    list_filter = ("status", "level")
    search_fields = ("^account__number", "account__owner_name", "^bill__number", "sent_to")
    search_help_text = "Account or bill number, name or address"

    @display(description="Status", ordering="status", label=_REMINDER_COLOURS)
    def status_label(self, reminder: Reminder) -> tuple[str, str]:
        return reminder.status, reminder.get_status_display()

    @display(description="Sent", ordering="sent_at")
    def sent(self, reminder: Reminder) -> str:
        return moment(reminder.sent_at)


admin.site.unregister(CustomerAccount)


@admin.register(CustomerAccount)
class AccountWithBalanceAdmin(CustomerAccountAdmin):
    """Customer accounts, with what they owe."""

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "owes")

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj is None else (*fieldsets, ("Balance", {"fields": ("owes",)}))

    @display(description="Owes now")
    def owes(self, account: CustomerAccount) -> SafeString:
        return owed_by(account)


def owed_by(account: CustomerAccount) -> SafeString:
    """Say what an account owes, which bills are open, and lead to its ledger."""
    found = account_balance(account=account, now=timezone.now())
    sums = format_html_join(
        "",
        "<p>{} {}{}</p>",
        (
            (
                balance.currency,
                f"{balance.balance:,.2f}",
                f", {balance.overdue:,.2f} of it overdue" if balance.overdue else "",
            )
            for balance in found.balances
        ),
    )
    bills = format_html_join(
        "",
        '<li><a class="underline" href="{}">{}</a>: {} {} open, {}, due on {}</li>',
        (
            (
                reverse("admin:billing_bill_change", args=[bill.bill_id]),
                bill.number,
                bill.currency,
                f"{bill.open_amount:,.2f}",
                bill.standing.replace("_", " "),
                bill.due_on.isoformat(),
            )
            for bill in found.open_bills
        ),
    )
    ledger = reverse("admin:billing_payment_changelist")
    return format_html(
        '{}<ul>{}</ul><a class="underline" href="{}?q={}">Payments</a>',
        sums or "Nothing",
        bills,
        ledger,
        account.number,
    )
