"""What comes in and goes out: amounts as strings, energy as JSON numbers, months as YYYY-MM."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Bill, BillLine, BillRun
from energy_portal.shared.clock import YearMonth

_FEWEST_DECIMALS = 6


class MoneyField(serializers.DecimalField):
    """An amount to the cent, as a string."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=14, decimal_places=2, coerce_to_string=True, read_only=True, **options)


class RateField(serializers.DecimalField):
    """A price a unit or a share, as a string with its own digits, six decimals at least."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=20, decimal_places=10, coerce_to_string=True, read_only=True, **options)

    def to_representation(self, value: Any) -> str:
        exponent = Decimal(value).normalize().as_tuple().exponent
        return f"{value:.{max(_FEWEST_DECIMALS, -int(exponent))}f}"


class EnergyField(serializers.DecimalField):
    """Energy, as a JSON number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_digits=None,
            decimal_places=None,
            coerce_to_string=False,
            normalize_output=True,
            read_only=True,
            **options,
        )


@extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$", "example": "2025-02"})
class MonthField(serializers.Field[YearMonth, str, str, Any]):
    """A calendar month, ``2025-02``; goes out from its first day or a YearMonth."""

    def to_representation(self, value: Any) -> str:
        return str(value if isinstance(value, YearMonth) else YearMonth.of(value))

    def to_internal_value(self, data: Any) -> YearMonth:
        return YearMonth.parse(str(data))


class LastMonthBillQuery(serializers.Serializer[Any]):
    """An account by its number, or a meter by its serial."""

    account_id = serializers.CharField(required=False, max_length=40)
    meter_id = serializers.CharField(required=False, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Name either account_id or meter_id.", code="account_or_meter")
        return attrs


class LastMonthBillOut(serializers.Serializer[Any]):
    """Last month's energy, and its money once a bill is issued."""

    account_id = serializers.CharField(source="account_number")
    month = MonthField()
    consumption_kwh = EnergyField(allow_null=True)
    amount = MoneyField(allow_null=True, help_text="Before tax.")
    tax = MoneyField(allow_null=True)
    total = MoneyField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    bill_number = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=[*Bill.Status.values, "not_issued"])


class BillPeriodOut(serializers.Serializer[Any]):
    """``[from, to)``."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": serializers.DateTimeField(source="lower"), "to": serializers.DateTimeField(source="upper")}


class BillOut(serializers.ModelSerializer[Bill]):
    """A bill without its lines."""

    account_id = serializers.CharField(source="account.number")
    month = MonthField()
    period = BillPeriodOut()
    consumption_kwh = EnergyField(allow_null=True)
    estimated_share = EnergyField(help_text="0 to 1, of the energy.")
    amount = MoneyField(source="subtotal", allow_null=True, help_text="Before tax.")
    tax = MoneyField(allow_null=True)
    total = MoneyField(allow_null=True)

    class Meta:
        model = Bill
        fields: tuple[str, ...] = (
            "id",
            "number",
            "account_id",
            "month",
            "period",
            "status",
            "held_because",
            "currency",
            "consumption_kwh",
            "complete",
            "estimated_share",
            "amount",
            "tax",
            "total",
            "issued_at",
            "kind",
            "corrects_id",
        )
        read_only_fields = fields


class ReadUsedOut(serializers.Serializer[Any]):
    """A register read that a quantity follows from."""

    serial = serializers.CharField()
    register_code = serializers.CharField()
    time = serializers.DateTimeField()
    value = serializers.CharField(help_text="What the dial showed.")
    quality = serializers.IntegerField(allow_null=True)
    role = serializers.ChoiceField(choices=["boundary", "installed", "removed", "summed"])


class BillLineOut(serializers.ModelSerializer[BillLine]):
    """One line: a quantity at a rate, or a tax on an amount."""

    service_point = serializers.CharField(source="service_point.code", default=None, allow_null=True)
    version = serializers.SerializerMethodField()
    period = BillPeriodOut()
    quantity = EnergyField(help_text="kWh, or the taxed amount.")
    rate = RateField()
    amount = MoneyField()
    reads = ReadUsedOut(many=True)

    class Meta:
        model = BillLine
        fields = (
            "position",
            "kind",
            "description",
            "service_point",
            "version",
            "period",
            "quantity",
            "unit",
            "rate",
            "amount",
            "reads",
        )
        read_only_fields = fields

    @extend_schema_field({"type": ["string", "null"]})
    def get_version(self, line: BillLine) -> str | None:
        """Name the tariff or tax version."""
        version = line.tariff_version or line.tax_version
        return str(version) if version else None


class BillDetailOut(BillOut):
    """A bill with everything that made it."""

    lines = BillLineOut(many=True)

    class Meta(BillOut.Meta):
        fields: tuple[str, ...] = (*BillOut.Meta.fields, "lines")
        read_only_fields = fields


class BillRunIn(serializers.Serializer[Any]):
    """The month to bill."""

    month = MonthField()
    preview = serializers.BooleanField(default=False, help_text="Make drafts only, and issue none.")


class BillRunOut(serializers.ModelSerializer[BillRun]):
    """A month's run and how far it is."""

    month = MonthField()
    preview = serializers.SerializerMethodField(help_text="Whether it makes drafts only, and issues none.")

    class Meta:
        model = BillRun
        fields: tuple[str, ...] = (
            "id",
            "month",
            "preview",
            "status",
            "accounts_total",
            "accounts_done",
            "bills_issued",
            "bills_held",
            "created_at",
            "started_at",
            "finished_at",
            "error",
        )
        read_only_fields = fields

    def get_preview(self, run: BillRun) -> bool:
        return not run.issues
