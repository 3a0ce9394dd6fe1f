"""The story of a field reading, on the pages of everybody whom it passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from energy_portal.shared.clock import HALF_HOUR, local_day, zone
from field_ops.models import Agent, ApprovalRequest, Assignment, Submission
from meters.models import Meter, RegisterReading
from meters.services.deliveries import deliver_events
from meters.services.estimating import estimate_pending
from meters.services.gaps import open_gaps
from tests.browser.conftest import DESKTOP, PATIENCE_MS, PHONE, Visitor, visitor_in, with_password
from tests.factories import AdminFactory, ManagerFactory, RegionFactory, UserFactory
from tests.field_ops.factories import AgentFactory, AgentUserFactory
from tests.field_ops.photo_files import jpeg
from tests.households import HALF_HOURLY_KWH, home_of, report
from tests.meters.helpers import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

SITE_ZONE = zone("Asia/Singapore")
SERIALS = ("SG-500100", "SG-500101", "SG-500102")
SILENT_DAYS = 4
# Five kilometres north of the meters: so far away that an admin looks at it, too.
FAR_AWAY = {"latitude": 1.3450, "longitude": 103.8000, "accuracy": 8}


@dataclass(frozen=True)
class Street:
    """Three meters of a region that fell silent, one of a customer, and everybody who has to do with them."""

    meter: Meter
    agent: Agent
    manager: User
    admin: User
    customer: User
    silent_since: datetime
    last_value: Decimal


@pytest.fixture
def street(transactional_db) -> Street:
    now = timezone.now()
    region = RegionFactory(name="Outram", latitude=1.3, longitude=103.8, radius_m=1_000)
    customer = with_password(UserFactory(name="Mei Ling Tan"))
    silent_since = local_day((now - timedelta(days=SILENT_DAYS)).astimezone(SITE_ZONE).date(), SITE_ZONE).start
    registers = []
    for number, serial in enumerate(SERIALS):
        account, register = home_of(customer if number == 0 else UserFactory(), number=f"A-500{number}")
        assert account.zone == SITE_ZONE.key
        place = {"serial": serial, "address": f"{number + 1} Neil Road", "region": region}
        Meter.objects.filter(pk=register.meter_id).update(latitude=1.3 + number / 1_000, longitude=103.8, **place)
        register.meter.refresh_from_db()
        report(register, start=silent_since - timedelta(days=20), until=silent_since)
        registers.append(register)
    last = RegisterReading.objects.filter(register=registers[0]).latest("time")
    return Street(
        meter=registers[0].meter,
        agent=AgentFactory(user=with_password(AgentUserFactory(name="Ravi Kumar")), region=region),
        manager=with_password(ManagerFactory(name="Mona Manager")),
        admin=with_password(AdminFactory(name="Ada Admin")),
        customer=customer,
        silent_since=last.time,
        last_value=last.value,
    )


@contextmanager
def somebody(browser, site, user: User, begins_at: str, **options) -> Iterator[Visitor]:
    """Let somebody work in a browser of their own."""
    with browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options}) as context:
        visitor = visitor_in(context, site)
        visitor.log_in(user, begins_at)
        yield visitor


def propose_and_confirm(manager: Visitor) -> None:
    """Choose all meters of the list, and give them out as proposed."""
    page = manager.page
    manager.open(reverse("admin:field_ops_assignment_assign"))
    for serial in SERIALS:
        page.get_by_role("checkbox", name=f"Choose {serial}").check()
    page.get_by_role("button", name="Propose who takes what").click()
    expect(page.get_by_role("heading", name="Ravi Kumar 3 meters")).to_be_visible()
    manager.expect_sound()
    page.get_by_role("button", name="Give out").click()
    expect(page.get_by_text("3 given out.")).to_be_visible()


def capture_offline(agent: Visitor, assignment: Assignment, value: Decimal) -> None:
    """Read a meter without a connection, and come back to one."""
    page = agent.page
    expect(page.get_by_role("heading", name="3 meters to read")).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.wait_for_function("async () => Boolean(await (await caches.open('field-pages')).match('/field/'))")
    page.context.set_offline(True)

    page.goto(f"{agent.site}/field/assignments/{assignment.pk}")
    expect(page.get_by_text("Position known to 8 m")).to_be_visible()
    page.get_by_label("Number on the meter").fill(SERIALS[0])
    photo = {"name": "meter.jpg", "mimeType": "image/jpeg", "buffer": jpeg()}
    page.get_by_label("Photo", exact=True).set_input_files(photo)
    expect(page.get_by_text("Photo taken")).to_be_visible()
    for key in f"{value}":
        press(page, "Decimal point" if key == "." else key)
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/field/sent")
    expect(page.get_by_text("Waiting to be sent", exact=True)).to_be_visible()
    assert not Submission.objects.exists()

    page.context.set_offline(False)
    expect(page.get_by_text("In review")).to_be_visible(timeout=PATIENCE_MS)


def press(page: Page, key: str) -> None:
    page.get_by_role("group", name="Number pad").get_by_role("button", name=key, exact=True).click()


def approve(person: Visitor, *, level: int) -> None:
    """Approve what waits in the queue, by its key."""
    page = person.page
    person.open(reverse("admin:field_ops_approvalrequest_queue"))
    expect(page.get_by_role("heading", name=SERIALS[0])).to_be_visible()
    expect(page.get_by_text(f"level {level} of 2")).to_be_visible()
    shown = page.get_by_role("img", name=f"Photo of the meter {SERIALS[0]}")
    assert shown.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 640
    person.expect_sound()
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()


def work_off() -> None:
    """Do what workers do every minute."""
    now = timezone.now()
    open_gaps(now=now)
    estimate_pending(now=now)
    deliver_events(now=now)


def used_on(customer: Visitor, day: date) -> str:
    """Return what the customer's usage page says of a day."""
    customer.open(f"/usage?view=month&on={day}")
    customer.page.get_by_text("Show as table").click()
    row = customer.page.get_by_role("row", name=f"{day:%A} {day.day} {day:%B}")
    return " ".join(row.get_by_role("cell").all_inner_texts())


def test_a_reading_travels_from_the_street_to_the_customer(browser, site, street):
    with somebody(browser, site, street.manager, "**/admin/") as manager:
        propose_and_confirm(manager)
        assignment = Assignment.objects.get(meter=street.meter)
        assert (assignment.agent, assignment.origin) == (street.agent, "proposal")

        # Half as much again as was usual, since it fell silent.
        half_hours = Decimal((timezone.now() - street.silent_since) / HALF_HOUR)
        value = (street.last_value + HALF_HOURLY_KWH * half_hours * 3 / 2).quantize(Decimal("0.001"))
        phone = {"viewport": PHONE, "geolocation": FAR_AWAY, "permissions": ["geolocation"], "has_touch": True}
        with somebody(browser, site, street.agent.user, "**/field/", **phone) as agent:
            capture_offline(agent, assignment, value)
        sent = Submission.objects.get()
        assert (sent.value, sent.serial_given, sent.photo.sent_bytes) == (value, SERIALS[0], len(jpeg()))
        assert sent.approval.risk_reasons == ["far_from_meter"]

        approve(manager, level=1)
    with somebody(browser, site, street.admin, "**/admin/") as admin:
        approve(admin, level=2)
    assert ApprovalRequest.objects.get().status == "approved"
    assert RegisterReading.objects.get(time=sent.read_at).value == value

    assert in_thread(work_off)() is None
    with somebody(browser, site, street.customer, "**/home") as customer:
        day = (street.silent_since + timedelta(days=1)).astimezone(SITE_ZONE).date()
        assert used_on(customer, day) == "18.00 estimated"
        customer.expect_sound()
