"""What lies outside somebody's period of access is not theirs to see or do: every page, every path and every file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry, CustomerAccount, User
from accounts.services import access, customers
from billing.models import Bill
from meters.insights.models import Appliance
from tests.factories import (
    AccountAccessFactory,
    AlarmFactory,
    AnomalyFactory,
    BatteryFactory,
    DeviceFactory,
    FaultFactory,
    ForecastFactory,
    UserFactory,
    since,
    singapore_bill,
)
from tests.households import home_of, report
from tests.permissions import Address, addresses

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
DAY = timedelta(days=1)
# They end the login that walks, or answer anybody.
_LEFT_OUT = {"/logout", "/login", "/metrics"}
_PAGES = ("/home", "/usage", "/usage.csv", "/bills", "/devices", "/household", "/alarms")


@dataclass(frozen=True)
class Home:
    """A household with one of everything, its ids by the names that paths call them, and what gives it away."""

    account: CustomerAccount
    bill: Bill
    ids: dict[str, tuple[str, ...]]
    marks: frozenset[str]

    @property
    def names(self) -> dict[str, str]:
        """The names by which queries and forms ask for it."""
        return {
            "account": str(self.account.pk),
            "account_id": self.account.number,
            "meter_id": self.ids["serial"][0],
            "device_id": self.ids["device_id"][0],
            "switch": "on",
            "period": "month",
        }


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def home() -> Home:
    owner = UserFactory(name="Olive Owner", email="olive@example.org")
    account, register = home_of(owner, number="A-HIDDEN", owner_name="Olive Owner", address="9 Hidden Lane")
    owner.accesses.update(right="administer")
    report(register, start=NOW.replace(minute=0) - DAY, until=NOW)
    bill = singapore_bill(account=account, first_day=date(2025, 2, 1), issued_at=NOW)
    member = customers.add_family_member(
        account_id=account.pk, name="Milo Member", relationship="child", actor=PORTAL, now=NOW
    )
    invitation = access.invite(
        account_id=account.pk,
        email="guest@example.org",
        right="view",
        valid=since(NOW),
        actor=Actor(user=owner),
        now=NOW,
    )
    device = DeviceFactory(device_id="plug-hidden", name="Hidden plug", account=account)
    battery = BatteryFactory(battery_id="ZHHIDDEN", name="Hidden battery", account=account, status="active")
    alarm = AlarmFactory(account=account, subject=device.device_id, label="Hidden plug", raised_at=NOW)
    point = register.meter.installations.get().service_point
    anomaly = AnomalyFactory(account=account, subject=point.code, start=NOW - DAY, end=NOW, detected_at=NOW)
    forecast = ForecastFactory(account=account, subject=point.code, origin=NOW - DAY)
    fault = FaultFactory(appliance=Appliance.objects.create(device=device, kind="refrigerator"))
    ids = {
        "account_id": (str(account.pk),),
        "number": (account.number,),
        "bill_id": (str(bill.pk),),
        "member_id": (str(member.pk),),
        "invitation_id": (str(invitation.pk),),
        "access_id": (str(owner.accesses.get().pk),),
        "alarm_id": (str(alarm.pk),),
        "position": ("1",),
        "serial": (register.meter.serial,),
        "device_id": (device.device_id,),
        "battery_id": (battery.battery_id,),
        "anomaly_id": (str(anomaly.pk),),
        "forecast_id": (str(forecast.pk),),
        "fault_id": (str(fault.pk),),
    }
    marks = {value for values in ids.values() for value in values} | {
        *("Olive Owner", "olive@example.org", "9 Hidden Lane", "Milo Member", "guest@example.org", "Hidden plug"),
        *("Hidden battery", point.code, bill.number),
    }
    # A number of a row alone gives nothing away.
    return Home(account, bill, ids, frozenset(mark for mark in marks if len(mark) > 6))


def walker(home: Home, valid: Any) -> User:
    """Return somebody with a home of their own, who may see the other one in a period."""
    user = UserFactory()
    home_of(user, number="A-OWN")
    AccountAccessFactory(account=home.account, user=user, right="administer", valid=valid)
    return user


def paths(address: Address, home: Home) -> Iterator[str]:
    """Fill an address with what the household has: by the name of the place, else with all of it."""
    names = [part[1:-1].rpartition(":") for part in address.route.split("/") for part in _places(part)]
    every = [value for values in home.ids.values() for value in values]
    uuids = [value for value in every if value.count("-") == 4]
    alike = {"uuid": uuids, "int": [value for value in every if value.isdecimal()]}
    choices = [home.ids.get(name) or alike.get(kind, every) for kind, _, name in names]
    for values in product(*choices):
        path = address.route
        for (kind, colon, name), value in zip(names, values, strict=True):
            path = path.replace(f"<{kind}{colon}{name}>", value)
        yield path


def _places(part: str) -> list[str]:
    return ["<" + rest.split(">")[0] + ">" for rest in part.split("<")[1:]]


def ask(client: Client, method: str, path: str, sent: dict[str, str]) -> Any:
    if method == "GET":
        return client.get(path, sent, headers={"accept": "*/*"})
    of_api = hasattr(resolve(path).func, "cls")
    return getattr(client, method.lower())(path, sent, **({"content_type": "application/json"} if of_api else {}))


def text_of(answer: Any) -> str:
    if not answer.streaming:
        return answer.content.decode(errors="replace")
    return "" if answer.is_async else b"".join(answer.streaming_content).decode(errors="replace")


def shown(client: Client, home: Home) -> dict[str, set[str]]:
    """Walk every address in every way; return what each answer gave away that was not in the question."""
    found: dict[str, set[str]] = {}
    for address in addresses():
        if address.route.startswith("/admin/") or address.route in _LEFT_OUT:
            continue
        for path in paths(address, home):
            for sent in (home.names,) if "<" in address.route else ({}, home.names):
                answer = ask(client, address.method, path, sent)
                assert answer.status_code != 429, path
                asked = " ".join((path, *sent.values()))
                text = text_of(answer)
                given = {mark for mark in home.marks if mark in text and mark not in asked}
                of_api = hasattr(resolve(path).func, "cls")
                if of_api and "<" in address.route and answer.status_code < 300:
                    given.add(f"status {answer.status_code}")
                if given:
                    found.setdefault(f"{address.method} {address.route}", set()).update(given)
    return found


class TestWhoseAccess:
    @pytest.mark.parametrize("valid", [since(NOW - 9 * DAY, NOW), since(NOW + DAY)], ids=["has ended", "has not begun"])
    def test_is_not_in_force_learns_and_does_nothing(self, home, valid):
        user = walker(home, valid)
        client = Client()
        client.force_login(user)

        assert shown(client, home) == {}
        assert not AuditEntry.objects.filter(user=user).exclude(action__startswith="user.").exists()

    def test_is_in_force_sees_the_same_paths_give_it_all_away(self, home):
        user = walker(home, since(NOW - DAY))
        client = Client()
        client.force_login(user)
        client.post("/account", {"account": str(home.account.pk)})

        pages = {path: text_of(client.get(path)) for path in _PAGES}
        api = {
            path: client.get(path, {"account_id": home.account.number, "period": "month"}).status_code
            for path in (
                f"/api/v1/accounts/{home.account.pk}",
                f"/api/v1/bills/{home.bill.pk}",
                f"/api/v1/batteries/{home.ids['battery_id'][0]}",
                f"/api/v1/meters/{home.ids['serial'][0]}/readings",
                "/get_consumption",
            )
        }

        assert [path for path, text in pages.items() if not any(mark in text for mark in home.marks)] == ["/usage.csv"]
        assert set(api.values()) == {200}

    @pytest.mark.parametrize("path", ["/get_consumption", "/get_last_month_bill", "/api/v1/consumption"])
    def test_is_over_gets_no_number_by_name(self, home, path):
        client = Client()
        client.force_login(walker(home, since(NOW - 9 * DAY, NOW)))

        for name in ({"account_id": home.account.number}, {"meter_id": home.ids["serial"][0]}):
            answer = client.get(path, {**name, "period": "month"})
            assert answer.status_code in {400, 403, 404, 422}, answer.content
