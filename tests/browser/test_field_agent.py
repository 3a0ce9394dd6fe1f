"""An agent's pages on a phone: with a connection, and without."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from accounts.actors import PORTAL, Actor
from energy_portal.shared.clock import floor_half_hour
from field_ops import tasks
from field_ops.models import Agent, AgentNotice, AgentPosition, Assignment, Phone, Shift, Submission
from field_ops.services import assignments
from meters.models import Register
from meters.services.readings import OfferedReading, receive_readings
from tests.browser.conftest import PASSWORD, PHONE, Visitor, visitor_in, with_password
from tests.factories import ManagerFactory, MeterFactory, RegionFactory, supplied_register
from tests.field_ops.factories import AgentFactory, AgentUserFactory, ApprovalRequestFactory, SubmissionFactory

pytestmark = pytest.mark.django_db(transaction=True)

HERE = {"latitude": 1.3000, "longitude": 103.8000, "accuracy": 8}
STREETS = (("12 Keong Saik Road", 1.3010), ("40 Neil Road", 1.3040), ("7 Duxton Hill", 1.3100))


@dataclass(frozen=True)
class Walk:
    """An agent with three meters to read, the second one overdue."""

    agent: Agent
    assignments: tuple[Assignment, ...]

    @property
    def register(self) -> Register:
        """The dial of the first meter."""
        return self.assignments[0].meter.registers.get()


SERIAL = "SG-400100"
# No machine that runs tests has a camera, and no browser on a desktop reads codes.
FAKE_CAMERA = f"""
  navigator.mediaDevices.getUserMedia = async () => {{
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    return canvas.captureStream(20);
  }};
  window.BarcodeDetector = class {{ detect() {{ return Promise.resolve([{{ rawValue: "{SERIAL}" }}]); }} }};
"""


@cache
def picture() -> bytes:
    """A JPEG of a bit more than two pieces' size, which noise does not compress."""
    noise = Image.effect_noise((1000, 800), 90).convert("RGB")
    written = io.BytesIO()
    noise.save(written, "JPEG", quality=92)
    return written.getvalue()


@pytest.fixture
def walk(transactional_db) -> Walk:
    now = timezone.now()
    region = RegionFactory()
    agent = AgentFactory(user=with_password(AgentUserFactory(name="Ravi Kumar")), region=region)
    assignments = []
    for number, (street, latitude) in enumerate(STREETS):
        meter = MeterFactory(
            serial=f"SG-40010{number}", address=street, latitude=latitude, longitude=103.8, region=region
        )
        register = supplied_register(meter=meter)
        marks = [floor_half_hour(now - timedelta(days=days)) for days in (60, 30)]
        offered = [
            OfferedReading(meter_id=meter.serial, timestamp=mark, value=Decimal(41_000 + 400 * index))
            for index, mark in enumerate(marks)
        ]
        assert receive_readings(readings=offered, actor=PORTAL, now=now).stored == len(marks)
        assert register.meter_id == meter.pk
        assignments.append(
            Assignment.objects.create(
                meter=meter,
                agent=agent,
                sequence=number + 1,
                due_at=now + timedelta(days=-2 if number == 1 else 3),
                status="overdue" if number == 1 else "pending",
                priority="high" if number == 2 else "medium",
                assigned_at=now,
            )
        )
    Agent.objects.filter(pk=agent.pk).update(current_load=len(assignments))
    return Walk(agent, tuple(assignments))


@pytest.fixture(params=["light", "dark"])
def phone(request, browser, site) -> Iterator[Visitor]:
    """A visitor with a phone that knows where it is."""
    context = browser.new_context(
        viewport=PHONE,
        color_scheme=request.param,
        reduced_motion="reduce",
        has_touch=True,
        geolocation=HERE,
        permissions=["geolocation"],
    )
    with context:
        yield visitor_in(context, site)


@pytest.fixture
def pocket(browser, site) -> Iterator[BrowserContext]:
    """A phone whose pages a test opens and closes itself."""
    with browser.new_context(viewport=PHONE, geolocation=HERE, permissions=["geolocation"]) as context:
        yield context


def elsewhere(service, **how) -> None:
    """Call a service in a thread of its own: in this one the browser's driver has an event loop."""

    def call():
        try:
            service(**how)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def open_list(visitor: Visitor, user) -> None:
    """Log in, and wait until all is kept that the pages need without a connection."""
    visitor.log_in(user, begins_at="**/field/")
    page = visitor.page
    expect(page.get_by_role("heading", name="3 meters to read")).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.wait_for_function("async () => Boolean(await (await caches.open('field-pages')).match('/field/'))")
    visitor.complaints.clear()


def fill_in(page, serial: str, value: str) -> None:
    """Take a reading with thumbs: the number typed, a photo, the value on the pad."""
    page.get_by_label("Number on the meter").fill(serial)
    page.get_by_label("Photo", exact=True).set_input_files(
        {"name": "meter.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    )
    expect(page.get_by_text("Photo taken")).to_be_visible()
    for key in value:
        name = "Decimal point" if key == "." else key
        page.get_by_role("group", name="Number pad").get_by_role("button", name=name, exact=True).click()


SHIFTED = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 100);
})"""


class TestEveryPage:
    def test_does_not_move_while_it_fills(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        for path in ("/field/", "/field/map", f"/field/assignments/{walk.assignments[0].pk}", "/field/sent"):
            phone.open(path)
            expect(page.get_by_text("As of today")).to_be_visible()

            assert page.evaluate(SHIFTED) < 0.01, path


class TestToday:
    def test_lists_meters_in_walking_order_with_their_distances_and_news(self, phone, walk):
        AgentNotice.objects.create(
            agent=walk.agent,
            kind="assigned",
            assignment=walk.assignments[0],
            text="Three meters in Outram are yours.",
            created_at=timezone.now(),
        )
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")

        expect(page.get_by_role("heading", name=STREETS[0][0])).to_be_visible()
        expect(page.get_by_text("110 m")).to_be_visible()
        expect(page.get_by_role("listitem").filter(has_text=STREETS[1][0])).to_contain_text("Overdue")
        expect(page.get_by_role("listitem").filter(has_text=STREETS[2][0])).to_contain_text("High priority")
        expect(page.get_by_role("region", name="News")).to_contain_text("Three meters in Outram are yours.")
        phone.expect_sound()

        page.get_by_role("button", name="Seen").click()

        expect(page.get_by_role("region", name="News")).to_be_hidden()
        assert AgentNotice.objects.get().seen_at is not None

    def test_shows_news_by_itself(self, visitor, walk, cache, monkeypatch):
        layer = RedisPubSubChannelLayer(hosts=[{"address": cache}])
        monkeypatch.setattr(tasks, "get_channel_layer", lambda: layer)
        with visitor.page.expect_websocket() as socket:
            visitor.log_in(walk.agent.user, begins_at="**/field/")
        socket.value.wait_for_event("framereceived")

        elsewhere(
            assignments.cancel,
            assignment_ids=[walk.assignments[0].pk],
            reason="The meter reports again.",
            actor=Actor(user=ManagerFactory()),
            now=timezone.now(),
        )

        expect(visitor.page.get_by_role("region", name="News")).to_contain_text("The meter reports again.")
        expect(visitor.page.get_by_role("heading", name="2 meters to read")).to_be_visible()
        visitor.expect_sound()

    def test_takes_positions_on_shift_only(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        expect(page.get_by_text("Off shift")).to_be_visible()

        with page.expect_response("**/agents/me/location"):
            page.get_by_role("button", name="Start shift").click()
        expect(page.get_by_text("Your position is sent.")).to_be_visible()
        phone.expect_sound()
        assert AgentPosition.objects.filter(shift__agent=walk.agent).count() == 1

        page.get_by_role("button", name="End shift").click()
        expect(page.get_by_text("Off shift")).to_be_visible()
        assert Shift.objects.get().ended_at is not None

    def test_is_shut_to_managers(self, visitor, walk):
        visitor.log_in(with_password(ManagerFactory()), begins_at="**/admin/")

        visitor.open("/field/")

        expect(visitor.page.get_by_role("heading", name="This is not open to you")).to_be_visible()


class TestMap:
    def test_shows_the_walk_and_leads_to_a_meter(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Map").click()
        expect(page.locator(".leaflet-marker-icon .map-mark")).to_have_count(4)
        phone.expect_sound()

        page.get_by_role("button", name=f"2. {STREETS[1][0]}").click()
        page.get_by_role("link", name="Read this meter").click()

        page.wait_for_url(f"**/field/assignments/{walk.assignments[1].pk}")
        expect(page.get_by_role("heading", name=STREETS[1][0])).to_be_visible()


class TestCapture:
    def test_sends_a_reading_with_its_photo_and_place(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Read this meter").click()
        expect(page.get_by_text("Position known to 8 m")).to_be_visible()
        phone.expect_sound()

        fill_in(page, SERIAL, "41810.5")
        phone.expect_sound()
        page.get_by_role("button", name="Send").click()

        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("In review")).to_be_visible()
        phone.expect_sound()
        sent = Submission.objects.get()
        assert (sent.value, sent.serial_given, sent.assignment) == (Decimal("41810.5"), SERIAL, walk.assignments[0])
        assert (sent.latitude, sent.longitude, sent.accuracy_m) == (1.3, 103.8, 8)
        assert sent.photo.sent_bytes == len(picture())

    def test_warns_of_an_unusual_value_without_telling_the_last_one(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Read this meter").click()
        fill_in(page, SERIAL, "91810")

        page.get_by_role("button", name="Send").click()

        expect(page.get_by_role("alert").filter(has_text="This value is unusual")).to_be_visible()
        assert "41400" not in page.content()
        phone.expect_sound()
        page.get_by_role("button", name="Send all the same").click()
        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("In review")).to_be_visible()

    def test_says_what_is_missing(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Read this meter").click()

        page.get_by_role("button", name="Send").click()

        expect(page.get_by_text("Type what the display shows.")).to_be_visible()
        expect(page.get_by_label("Number on the meter")).to_be_focused()
        phone.expect_sound()

    def test_takes_digits_of_a_real_keyboard_and_keeps_them(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Read this meter").click()
        display = page.get_by_label("Display shows")
        display.press_sequentially("418a10,5")
        expect(display).to_have_value("41810.5")
        page.get_by_role("button", name="Erase the last digit").click()
        expect(display).to_have_value("41810.")
        page.reload()

        expect(display).to_have_value("41810.")

    def test_sends_why_a_meter_could_not_be_read(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Read this meter").click()
        page.get_by_label("Could not read").check()
        expect(page.get_by_role("group", name="Number pad")).to_be_hidden()
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Say why it could not be read.")).to_be_visible()
        page.get_by_label("Dog").check()
        phone.expect_sound()

        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("There is no photo of what is in the way.")).to_be_visible()
        page.get_by_role("button", name="Send all the same").click()

        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("Could not read: dog")).to_be_visible()
        sent = Submission.objects.get()
        assert (sent.outcome, sent.obstacle, sent.value) == ("could_not_read", "dog", None)

    def test_scans_the_number_where_the_browser_can(self, pocket, site, walk):
        pocket.add_init_script(FAKE_CAMERA)
        visitor = visitor_in(pocket, site)
        page = visitor.page
        visitor.log_in(walk.agent.user, begins_at="**/field/")
        page.get_by_role("link", name="Read this meter").click()

        page.get_by_role("button", name="Scan").click()

        expect(page.get_by_label("Number on the meter")).to_have_value(SERIAL)
        expect(page.get_by_text("The meter of this assignment, scanned.")).to_be_visible()


class TestOffline:
    def test_keeps_readings_until_there_is_a_connection_and_sends_each_once(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk.agent.user)
        pocket.set_offline(True)

        page.goto(f"{site}/field/assignments/{walk.assignments[1].pk}")
        expect(page.get_by_role("heading", name=STREETS[1][0])).to_be_visible()
        fill_in(page, "SG-400101", "41790")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("Waiting to be sent", exact=True)).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="No connection")).to_be_visible()
        page.close()

        again = pocket.new_page()
        again.goto(f"{site}/field/")
        expect(again.get_by_role("heading", name="2 meters to read")).to_be_visible()
        again.goto(f"{site}/field/sent")
        expect(again.get_by_text("Waiting to be sent", exact=True)).to_be_visible()
        assert Submission.objects.count() == 0
        pocket.set_offline(False)

        expect(again.get_by_text("In review")).to_be_visible()
        assert Submission.objects.get().photo.sent_bytes == len(picture())

    def test_arrives_once_when_answers_are_lost(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        lost = []

        def lose_first(route):
            key = (route.request.method, route.request.headers.get("upload-offset"))
            route.fetch()
            if key in lost:
                route.continue_()
            else:
                lost.append(key)
                route.abort()

        open_list(visitor, walk.agent.user)
        page.route("**/api/v1/submissions**", lose_first)
        page.get_by_role("link", name="Read this meter").click()
        fill_in(page, SERIAL, "41810")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/field/sent")

        page.evaluate("setInterval(() => dispatchEvent(new Event('online')), 100)")

        expect(page.get_by_text("In review")).to_be_visible()
        assert len(lost) >= 3
        assert Submission.objects.get().photo.sent_bytes == len(picture())


class TestSent:
    def test_shows_what_is_sent_back_and_lets_it_be_done_again(self, phone, walk):
        first = SubmissionFactory(assignment=walk.assignments[0], status="returned", register=walk.register)
        notes = "The last digit is not sharp."
        ApprovalRequestFactory(submission=first, status="returned", review_notes=notes)
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        expect(page.get_by_text(notes)).to_be_visible()
        page.get_by_role("link", name="Sent").click()
        expect(page.get_by_role("listitem").filter(has_text="Sent back")).to_contain_text(notes)
        phone.expect_sound()

        page.get_by_role("link", name="Do it again").click()
        fill_in(page, SERIAL, "41810")
        page.get_by_role("button", name="Send").click()

        page.wait_for_url("**/field/sent")
        expect(page.get_by_text("In review")).to_be_visible()
        assert Submission.objects.get(follows=first).value == 41_810

    @pytest.mark.parametrize(("status", "words"), [("approved", "Approved"), ("rejected", "Rejected")])
    def test_shows_what_was_decided(self, visitor, walk, status, words):
        sent = SubmissionFactory(assignment=walk.assignments[0], status=status, register=walk.register)
        ApprovalRequestFactory(submission=sent, status="rejected", review_notes="Seen.")
        visitor.log_in(walk.agent.user, begins_at="**/field/")

        visitor.open("/field/sent")

        expect(visitor.page.get_by_role("listitem").filter(has_text=words)).to_contain_text("Seen.")
        visitor.expect_sound()


class TestLeaving:
    def test_keeps_what_waits_and_asks_to_log_in_when_the_login_ends(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk.agent.user)
        page.get_by_role("link", name="Read this meter").click()
        fill_in(page, SERIAL, "41810")
        Session.objects.all().delete()
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/login?next=/field/sent")
        assert Submission.objects.count() == 0

        page.get_by_label("E-mail address").fill(walk.agent.user.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()

        expect(page.get_by_text("In review")).to_be_visible()
        assert Submission.objects.count() == 1

    def test_leaves_nothing_to_see_after_logging_out(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk.agent.user)

        page.locator("summary", has_text="your login").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")

        pocket.set_offline(True)
        page.goto(f"{site}/field/")
        expect(page.get_by_role("heading", name="No connection")).to_be_visible()

    def test_deletes_all_that_is_on_a_phone_that_was_revoked(self, pocket, site, walk):
        visitor = visitor_in(pocket, site)
        page = visitor.page
        open_list(visitor, walk.agent.user)

        Phone.objects.update(revoked_at=timezone.now())
        page.evaluate("dispatchEvent(new Event('online'))")

        expect(page.get_by_role("heading", name="This phone is revoked")).to_be_visible()
        page.wait_for_function("async () => (await indexedDB.databases()).length === 0")
        page.wait_for_function("async () => (await caches.keys()).length === 0")
