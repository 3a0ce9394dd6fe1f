"""One factory a model: the least that is valid, named after what it makes."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal

import factory
from django.db.backends.postgresql.psycopg_any import DateRange, DateTimeTZRange
from factory.django import DjangoModelFactory

from accounts import models as accounts
from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from billing import models as billing
from billing.rating.terms import encode, flat_terms
from billing.services.bills import issue_bill
from energy_portal.shared.clock import YearMonth, local_month, zone
from energy_portal.shared.units import to_cents
from meters import models as meters
from meters.batteries import models as batteries
from meters.devices import models as devices
from meters.insights import models as insights
from meters.insights.forecasters.serving import made_with

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def since(start: datetime, end: datetime | None = None) -> DateTimeTZRange:
    return DateTimeTZRange(start, end, "[)")


class UserFactory(DjangoModelFactory):
    class Meta:
        model = accounts.User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    name = factory.Faker("name")
    role = Role.CUSTOMER
    password = factory.django.Password("a-long-enough-password")


class ManagerFactory(UserFactory):
    role = Role.MANAGER


class AdminFactory(UserFactory):
    role = Role.ADMIN


class CustomerAccountFactory(DjangoModelFactory):
    class Meta:
        model = accounts.CustomerAccount

    number = factory.Sequence(lambda n: f"A-{n:06d}")
    owner_name = factory.Faker("name")
    email = factory.Sequence(lambda n: f"owner{n}@example.org")
    address = factory.Faker("address")


class AccountAccessFactory(DjangoModelFactory):
    class Meta:
        model = accounts.AccountAccess

    account = factory.SubFactory(CustomerAccountFactory)
    user = factory.SubFactory(UserFactory)
    right = "view"
    valid = factory.LazyFunction(lambda: since(LONG_AGO))


class PremisesFactory(DjangoModelFactory):
    class Meta:
        model = accounts.Premises

    address = factory.Faker("address")


class DataSourceFactory(DjangoModelFactory):
    class Meta:
        model = accounts.DataSource

    name = factory.Sequence(lambda n: f"source-{n}")
    scopes = factory.LazyFunction(lambda: [Scope.READINGS])


class ServicePointFactory(DjangoModelFactory):
    class Meta:
        model = meters.ServicePoint

    code = factory.Sequence(lambda n: f"SP-{n:06d}")
    premises = factory.SubFactory(PremisesFactory)


class MeterFactory(DjangoModelFactory):
    class Meta:
        model = meters.Meter

    serial = factory.Sequence(lambda n: f"SG-{n:06d}")


class RegisterFactory(DjangoModelFactory):
    class Meta:
        model = meters.Register

    meter = factory.SubFactory(MeterFactory)


class InstallationFactory(DjangoModelFactory):
    class Meta:
        model = meters.Installation

    meter = factory.SubFactory(MeterFactory)
    service_point = factory.SubFactory(ServicePointFactory)
    valid = factory.LazyFunction(lambda: since(LONG_AGO))


class BindingFactory(DjangoModelFactory):
    class Meta:
        model = meters.Binding

    account = factory.SubFactory(CustomerAccountFactory)
    service_point = factory.SubFactory(ServicePointFactory)
    valid = factory.LazyFunction(lambda: since(LONG_AGO))


def supplied_register(*, account: accounts.CustomerAccount | None = None, **register: object) -> meters.Register:
    """Make a register on a meter that hangs, since long ago, where an account is supplied."""
    made: meters.Register = RegisterFactory(**register)
    installation = InstallationFactory(meter=made.meter)
    BindingFactory(service_point=installation.service_point, account=account or CustomerAccountFactory())
    return made


class ValidationRuleFactory(DjangoModelFactory):
    """A rule in a scope; the migration's row of that scope gives way to it."""

    class Meta:
        model = meters.ValidationRule

    code = meters.RuleCode.SPIKE
    severity = meters.Severity.FLAG

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        scope = {name: kwargs.pop(name, "") for name in ("commodity", "service_class")}
        rule, _ = model_class.objects.update_or_create(code=kwargs.pop("code"), **scope, defaults=kwargs)
        return rule


class AlarmRuleFactory(DjangoModelFactory):
    """Over 3,000 W, over once it is 2,800 W or less; of a kind that no migration adds."""

    class Meta:
        model = meters.AlarmRule

    kind = factory.Sequence(lambda n: f"kind_{n}")
    subject_kind = meters.SubjectKind.DEVICE
    quantity = "power_w"
    comparison = meters.AlarmRule.Comparison.ABOVE
    set_at = 3000.0
    clear_at = 2800.0


class AlarmFactory(DjangoModelFactory):
    class Meta:
        model = meters.Alarm

    kind = "over_power"
    subject_kind = meters.SubjectKind.DEVICE
    subject = factory.Sequence(lambda n: f"dev-{n}")
    label = factory.LazyAttribute(lambda alarm: f"Plug {alarm.subject}")
    severity = meters.AlarmSeverity.WARNING
    text = factory.LazyAttribute(lambda alarm: f"The power of {alarm.label} is too high.")
    raised_at = datetime(2025, 3, 1, tzinfo=UTC)


class TaxFactory(DjangoModelFactory):
    class Meta:
        model = billing.Tax
        django_get_or_create = ("code",)

    code = "GST"
    name = "GST"


class TaxVersionFactory(DjangoModelFactory):
    class Meta:
        model = billing.TaxVersion

    tax = factory.SubFactory(TaxFactory)
    effective = factory.LazyFunction(lambda: DateRange(date(2023, 1, 1), None))
    rate = Decimal("0.08")


class TariffFactory(DjangoModelFactory):
    class Meta:
        model = billing.Tariff

    code = factory.Sequence(lambda n: f"tariff-{n}")
    name = factory.LazyAttribute(lambda tariff: tariff.code.title())
    tax = factory.SubFactory(TaxFactory)


class TariffVersionFactory(DjangoModelFactory):
    class Meta:
        model = billing.TariffVersion
        skip_postgeneration_save = True

    tariff = factory.SubFactory(TariffFactory)
    name = "first"
    effective = factory.LazyFunction(lambda: DateRange(date(2020, 1, 1), None))

    @factory.post_generation
    def energy_rate(self, create, extracted, **kwargs):
        """Charge energy at this rate a kWh, at all times."""
        terms = encode(flat_terms(Decimal(extracted or "0.2895")))
        self.components.create(position=1, kind="energy", name="Electricity", terms=terms)


def singapore_bill(
    *, account: accounts.CustomerAccount, first_day: date, kwh: str = "308.52", issued_at: datetime | None = None
) -> billing.Bill:
    """Make a month's bill at 0.2895 SGD a kWh and 8 % tax with its two lines; issued when told at what instant."""
    month, subtotal = YearMonth.of(first_day), to_cents(Decimal(kwh) * Decimal("0.2895"))
    tax = to_cents(subtotal * Decimal("0.08"))
    version = TariffVersionFactory()
    period = local_month(month, zone(account.zone))
    billed = DateTimeTZRange(period.start, period.end)
    bill = billing.Bill.objects.create(
        account=account,
        month=first_day,
        period=billed,
        currency="SGD",
        consumption_kwh=Decimal(kwh),
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
        complete=True,
        as_of=period.end,
    )
    billing.BillLine.objects.create(
        bill=bill,
        position=1,
        kind="energy",
        description="Electricity, first",
        service_point=ServicePointFactory(),
        tariff_version=version,
        period=billed,
        quantity=Decimal(kwh),
        unit="kWh",
        rate=Decimal("0.2895"),
        amount=subtotal,
        reads=[
            {
                "serial": "SG-1",
                "register_code": "1.8.0",
                "time": instant.isoformat(),
                "value": value,
                "quality": 17,
                "role": "boundary",
            }
            for instant, value in ((period.start, "1000"), (period.end, f"{1000 + Decimal(kwh)}"))
        ],
    )
    billing.BillLine.objects.create(
        bill=bill,
        position=2,
        kind="tax",
        description="GST 8 %",
        tax_version=billing.TaxVersion.objects.filter(tax__code="GST", effective__contains=first_day).first()
        or TaxVersionFactory(),
        period=billed,
        quantity=subtotal,
        unit="SGD",
        rate=Decimal("0.08"),
        amount=tax,
    )
    if issued_at is not None:
        bill = issue_bill(bill_id=bill.pk, actor=PORTAL, now=issued_at)
    return bill


class RegionFactory(DjangoModelFactory):
    class Meta:
        model = meters.Region

    name = factory.Sequence(lambda n: f"Region {n}")
    latitude = 1.35
    longitude = 103.8
    radius_m = 5_000


class DeviceGroupFactory(DjangoModelFactory):
    class Meta:
        model = devices.DeviceGroup

    name = factory.Sequence(lambda n: f"Group {n}")


class ProductFactory(DjangoModelFactory):
    class Meta:
        model = devices.Product

    product_id = factory.Sequence(lambda n: f"product{n:010d}")


class DeviceFactory(DjangoModelFactory):
    class Meta:
        model = devices.Device

    device_id = factory.Sequence(lambda n: f"plug-{n:06d}")


class BatteryFactory(DjangoModelFactory):
    class Meta:
        model = batteries.Battery

    battery_id = factory.Sequence(lambda n: f"ZHPESS232A23{n:04d}")
    cells_in_series = 260
    capacity_ah = 280.0
    rated_energy_kwh = 232.0
    rated_power_kw = 100.0
    current_limit_a = 280.0


class PaymentFactory(DjangoModelFactory):
    """10 SGD paid by hand."""

    class Meta:
        model = billing.Payment

    account = factory.SubFactory(CustomerAccountFactory)
    amount = Decimal("10.00")
    currency = "SGD"
    received_on = date(2023, 3, 10)
    booked_at = datetime(2023, 3, 10, 4, tzinfo=UTC)
    origin = billing.Payment.Origin.MANUAL


class NotificationChoiceFactory(DjangoModelFactory):
    class Meta:
        model = accounts.NotificationChoice

    user = factory.SubFactory(UserFactory)
    kind = accounts.NotificationKind.BILL_ISSUED
    wanted = True


class AnomalyFactory(DjangoModelFactory):
    """A spike of one half-hour at a service point."""

    class Meta:
        model = insights.Anomaly

    subject_kind = insights.Subject.SERVICE_POINT
    subject = factory.Sequence(lambda n: f"SP-{n}")
    label = factory.LazyAttribute(lambda anomaly: anomaly.subject)
    cohort = "service_point:residential"
    kind = insights.Anomaly.Kind.SPIKE
    start = datetime(2025, 3, 1, 12, tzinfo=UTC)
    end = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
    detected_at = datetime(2025, 3, 1, 12, 31, tzinfo=UTC)
    score = 0.9
    detectors = {"residual": 0.9}  # noqa: RUF012
    reason = "3.2 kWh in the half-hour; 0.4 kWh are usual."
    energy_kwh = Decimal("2.8")
    usual_kwh = Decimal("0.4")


class ForecastFactory(DjangoModelFactory):
    """What was expected of a service point for two days of 48 half-hours; a quarter of a kWh in each."""

    class Meta:
        model = insights.Forecast

    subject_kind = insights.Subject.SERVICE_POINT
    subject = "SP-1"
    label = factory.SelfAttribute("subject")
    cohort = "service_point:residential"
    zone = "Asia/Singapore"
    origin = LONG_AGO
    issued_at = factory.SelfAttribute("origin")
    median = factory.LazyFunction(lambda: [0.25] * 96)
    mean = factory.LazyAttribute(lambda row: [1.2 * value for value in row.median])
    low = factory.LazyAttribute(lambda row: [0.5 * value for value in row.median])
    high = factory.LazyAttribute(lambda row: [2.0 * value for value in row.median])
    forecaster = "blend"


class ForecastModelFactory(DjangoModelFactory):
    """A model of service points that says what its content says."""

    class Meta:
        model = insights.ForecastModel

    cohort = "service_point"
    version = factory.Sequence(lambda n: n + 1)
    algorithm = "blend"
    seed = factory.LazyAttribute(lambda model: 20_240_000 + model.version)
    state = insights.ForecastModel.State.ACTIVE
    trained_at = datetime(2025, 2, 1, tzinfo=UTC)
    trained_until = datetime(2025, 2, 1, tzinfo=UTC)
    series = 1
    origins = 60
    made_with = factory.LazyFunction(made_with)
    content = b""
    digest = factory.LazyAttribute(lambda model: hashlib.sha256(model.content).hexdigest())
    changed_at = datetime(2025, 2, 1, tzinfo=UTC)


class ScoreDayFactory(DjangoModelFactory):
    """A day of one meter with 48 half-hours of 1 kWh, off by 0.1 each, where the day and the week before are by 0.2."""

    class Meta:
        model = insights.ScoreDay

    day = date(2025, 3, 1)
    cohort = "service_point:household"
    quantity = insights.Forecast.Quantity.ENERGY
    forecaster = "blend"
    day_ahead = 1
    is_told = True
    forecasts = 1
    half_hours = banded = measured = compared = 48
    inside = 38
    truth = truth_size = 48.0
    median = 45.6
    mean = 48.0
    absolute_error = measured_error = compared_error = 4.8
    usual_error = naive_error = 9.6
    scaled_error = 24.0


class ForecastScoreFactory(DjangoModelFactory):
    """A whole day of a forecast of 48 kWh that turned out to the watt-hour."""

    class Meta:
        model = insights.ForecastScore

    forecast = factory.SubFactory(ForecastFactory)
    forecaster = "blend"
    is_told = True
    cohort = factory.SelfAttribute("forecast.cohort")
    quantity = factory.SelfAttribute("forecast.quantity")
    day = factory.LazyAttribute(lambda score: score.forecast.origin.date())
    day_ahead = 1
    scored_at = LONG_AGO
    half_hours = banded = inside = measured = compared = 48
    truth = truth_size = median = mean = 48.0
    absolute_error = measured_error = usual_error = scaled_error = compared_error = naive_error = 0.0


class FaultFactory(DjangoModelFactory):
    """A refrigerator that does not switch off, behind a device of its own."""

    class Meta:
        model = insights.Fault

    appliance = factory.LazyFunction(
        lambda: insights.Appliance.objects.create(device=DeviceFactory(), kind=insights.Appliance.Kind.REFRIGERATOR)
    )
    kind = insights.Fault.Kind.STUCK_ON
    severity = insights.Fault.Severity.CRITICAL
    began_at = datetime(2025, 3, 1, 9, tzinfo=UTC)
    detected_at = datetime(2025, 3, 1, 12, tzinfo=UTC)
    cause = "It has run for three hours."
    advice = "Look at the thermostat."
    subject_kind = insights.Subject.DEVICE
    subject = factory.LazyAttribute(lambda fault: fault.appliance.device.device_id)
    label = factory.LazyAttribute(lambda fault: fault.subject)
    account = factory.LazyAttribute(lambda fault: fault.appliance.device.account)
