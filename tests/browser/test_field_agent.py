"""What an agent does on a phone with a connection: the list, the map, and a reading."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.db import connection
from django.utils import timezone
from playwright.sync_api import expect

from accounts.actors import Actor
from field_ops import tasks
from field_ops.models import AgentNotice, AgentPosition, Shift, Submission
from field_ops.services import assignments
from tests.browser.conftest import visitor_in, with_password
from tests.browser.walks import SERIAL, STREETS, fill_in, picture
from tests.factories import ManagerFactory

pytestmark = pytest.mark.django_db(transaction=True)

# No machine that runs tests has a camera, and no browser on a desktop reads codes.
FAKE_CAMERA = f"""
  navigator.mediaDevices.getUserMedia = async () => {{
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    return canvas.captureStream(20);
  }};
  window.BarcodeDetector = class {{ detect() {{ return Promise.resolve([{{ rawValue: "{SERIAL}" }}]); }} }};
"""
SHIFTED = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 100);
})"""


def elsewhere(service, **how) -> None:
    """Call a service in a thread of its own: in this one the browser's driver has an event loop."""

    def call():
        try:
            service(**how)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


class TestEveryPage:
    def test_does_not_move_while_it_fills(self, phone, walk):
        page = phone.page
        phone.log_in(walk.agent.user, begins_at="**/field/")
        for path in ("/field/", "/field/map", f"/field/assignments/{walk.assignments[0].pk}", "/field/sent"):
            phone.open(path)
            expect(page.get_by_text("As of today")).to_be_visible()
            page.wait_for_load_state("networkidle")
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
