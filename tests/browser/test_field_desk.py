"""What managers do for field work: decide by keys, several at once, and send agents."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from playwright.sync_api import expect

from field_ops.models import ApprovalRequest, Assignment, Decision, Photo, Shift
from field_ops.selectors.photos import folder_of_photos
from tests.browser.conftest import with_password
from tests.factories import InstallationFactory, ManagerFactory, MeterFactory, RegionFactory, RegisterFactory
from tests.field_ops.factories import AgentFactory, ApprovalRequestFactory, AssignmentFactory, SubmissionFactory

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = reverse("admin:field_ops_approvalrequest_queue")
ASSIGN = reverse("admin:field_ops_assignment_assign")


@pytest.fixture
def manager(transactional_db):
    return with_password(ManagerFactory(name="Mona Manager"))


@pytest.fixture
def region(transactional_db):
    return RegionFactory(name="East Coast")


def meter_in(region, number):
    """Make a meter somewhere in a region."""
    aside = 0.002 * number
    return MeterFactory(
        serial=f"SG-{number:06d}",
        region=region,
        latitude=region.latitude + aside,
        longitude=region.longitude - aside,
    )


def waiting(region, number, **fields):
    """Make a request with a photo, on a meter that hangs."""
    now = timezone.now()
    meter, agent = meter_in(region, number), AgentFactory(region=region)
    InstallationFactory(meter=meter)
    work = AssignmentFactory(agent=agent, meter=meter, status="in_progress", is_in_review=True)
    submission = SubmissionFactory(
        assignment=work, register=RegisterFactory(meter=meter), read_at=now - timedelta(hours=2), expects_photo=True
    )
    put_photo(submission, number)
    evidence = {
        "position": {"distance_m": 12.0, "accuracy_m": 8.0, "allowed_m": 108.0},
        "photo": {"is_sent": True, "taken_at": now.isoformat(), "twins": []},
        "serial": {"given": meter.serial, "expected": meter.serial, "matches": True},
        "range": {"is_known": True, "low": "1200", "high": "1300", "since": "2026-01-01T00:00:00Z", "grown": "34"},
    }
    points = [[(now - timedelta(days=30 * back)).isoformat(), str(1200 - 40 * back)] for back in (3, 2, 1)]
    last = [{"time": at, "value": value, "quality": 18} for at, value in reversed(points)]
    return ApprovalRequestFactory(
        submission=submission,
        submitted_at=now - timedelta(hours=2) + timedelta(minutes=number),
        evidence=evidence,
        meter_data={"points": points, "last_readings": last},
        **fields,
    )


def put_photo(submission, number):
    """Store a picture where photos lie."""
    folder = folder_of_photos()
    folder.mkdir(parents=True, exist_ok=True)
    picture = BytesIO()
    Image.new("RGB", (800, 600), (40, 90, 120)).save(picture, "JPEG")
    for name in (f"{submission.pk}.jpg", f"{submission.pk}-small.jpg"):
        Path(folder, name).write_bytes(picture.getvalue())
    Photo.objects.create(
        submission=submission,
        name=f"{submission.pk}.jpg",
        thumbnail=f"{submission.pk}-small.jpg",
        width=800,
        height=600,
        stored_bytes=len(picture.getvalue()),
        sent_format="JPEG",
        sent_bytes=len(picture.getvalue()),
        sha256=f"{number:064x}",
        perceptual_hash=number,
        hash_bands=[0] * 8,
        created_at=timezone.now(),
    )


class TestQueue:
    def test_is_worked_off_by_keys(self, anywhere, manager, region):
        page = anywhere.page
        first, second = waiting(region, 1), waiting(region, 2, risk="high", levels_needed=2)
        anywhere.log_in(manager, "**/admin/")
        anywhere.expect_sound()
        anywhere.open(QUEUE)
        heading = page.locator("#case-heading")
        expect(heading).to_contain_text(first.meter.serial)
        expect(page.get_by_text("Live: what comes in appears by itself.")).to_be_visible()
        photo = page.get_by_role("img", name=f"Photo of the meter {first.meter.serial}")
        assert photo.evaluate("image => image.decode().then(() => image.naturalWidth)") == 800
        anywhere.expect_sound()

        page.keyboard.press("z")
        expect(page.locator("[data-zoom-level]")).to_contain_text("2")
        page.keyboard.press("j")
        expect(heading).to_contain_text(second.meter.serial)
        expect(heading).to_be_focused()
        page.keyboard.press("k")
        expect(heading).to_contain_text(first.meter.serial)

        page.keyboard.press("s")
        note = page.get_by_label("Note")
        expect(note).to_be_focused()
        page.keyboard.type("as blurred as ever")
        expect(heading).to_contain_text(first.meter.serial)
        anywhere.expect_sound()
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text(f"{first.meter.serial}: sent back.")).to_be_visible()
        expect(heading).to_contain_text(second.meter.serial)
        page.keyboard.press("a")
        expect(page.get_by_text("an admin decides the second")).to_be_visible()
        expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
        anywhere.expect_sound()

        first.refresh_from_db()
        assert (first.status, first.review_notes) == ("returned", "as blurred as ever")
        assert Decision.objects.get(request=second).verdict == "approved"

    def test_leaves_keys_alone_that_were_turned_off(self, visitor, manager, region):
        page = visitor.page
        first = waiting(region, 1)
        waiting(region, 2)
        visitor.log_in(manager, "**/admin/")
        visitor.open(QUEUE)

        page.get_by_label("Keys on").uncheck()
        page.keyboard.press("j")
        page.keyboard.press("a")

        expect(page.locator("#case-heading")).to_contain_text(first.meter.serial)
        assert Decision.objects.count() == 0

    def test_approves_what_is_of_low_risk_together(self, visitor, manager, region):
        page = visitor.page
        for number in range(3):
            waiting(region, number)
        audited = waiting(region, 4, is_audited=True)
        visitor.log_in(manager, "**/admin/")
        visitor.open(QUEUE)
        expect(page.get_by_text("1 of low risk was chosen by chance")).to_be_visible()

        page.get_by_label("All of low risk").check()
        page.get_by_role("button", name="Approve chosen").click()

        expect(page.get_by_text("3 approved together.")).to_be_visible()
        expect(page.locator("#case-heading")).to_contain_text(audited.meter.serial)
        visitor.expect_sound()
        assert ApprovalRequest.objects.filter(status="approved").count() == 3


class TestAssigning:
    def test_goes_from_the_map_over_a_proposal_to_the_agents(self, anywhere, manager, region):
        page = anywhere.page
        agent = AgentFactory(region=region, latitude=region.latitude, longitude=region.longitude)
        meters = [meter_in(region, number) for number in range(4)]
        anywhere.log_in(manager, "**/admin/")
        anywhere.open(ASSIGN)
        expect(page.get_by_text("none chosen")).to_be_visible()
        anywhere.expect_sound()

        page.get_by_role("button", name=meters[0].serial).click()
        expect(page.get_by_text("1 chosen")).to_be_visible()
        expect(page.get_by_label(f"Choose {meters[0].serial}")).to_be_checked()
        page.get_by_role("button", name="Choose all in sight").click()
        expect(page.get_by_text("4 chosen")).to_be_visible()
        page.get_by_role("button", name="Propose who takes what").click()

        expect(page.get_by_role("heading", name="Who takes what")).to_be_visible()
        page.get_by_label(f"Who reads {meters[3].serial}").select_option("Leave out")
        expect(page.get_by_role("row", name=str(agent)).locator("[data-would]")).to_have_text("3")
        anywhere.expect_sound()
        page.get_by_role("button", name="Give out").click()

        expect(page.get_by_text("3 given out.")).to_be_visible()
        anywhere.expect_sound()
        assert Assignment.objects.filter(agent=agent).count() == 3

    def test_takes_the_meters_in_a_box(self, visitor, manager, region):
        page = visitor.page
        AgentFactory(region=region)
        for number in range(4):
            meter_in(region, number)
        visitor.log_in(manager, "**/admin/")
        visitor.open(ASSIGN)

        page.get_by_role("button", name="Draw a box").click()
        page.locator("[data-map]").evaluate("map => map.scrollIntoView({block: 'center', behavior: 'instant'})")
        area = page.locator("[data-map]").bounding_box()
        page.mouse.move(area["x"] + 80, area["y"] + 5)
        page.mouse.down()
        page.mouse.move(area["x"] + area["width"] - 5, area["y"] + area["height"] - 5, steps=4)
        page.mouse.up()

        expect(page.get_by_text("4 chosen")).to_be_visible()


class TestMaps:
    def test_show_regions_and_who_is_on_shift(self, visitor, manager, region):
        page = visitor.page
        agent = AgentFactory(region=region, latitude=region.latitude, longitude=region.longitude, status="available")
        Shift.objects.create(agent=agent, started_at=timezone.now())
        visitor.log_in(manager, "**/admin/")

        visitor.open(reverse("admin:field_ops_agent_map"))
        expect(page.get_by_role("link", name=str(agent))).to_be_visible()
        expect(page.get_by_text("Live: positions follow by themselves.")).to_be_visible()
        visitor.expect_sound()

        visitor.open(reverse("admin:meters_region_changelist"))
        expect(page.locator(".map-circle")).to_have_count(1)
        visitor.expect_sound()
