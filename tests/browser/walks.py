"""An agent's walk past three meters, and what they do on it with a phone."""

import io
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache

from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, expect

from accounts.actors import PORTAL
from accounts.models import User
from energy_portal.shared.clock import floor_half_hour
from field_ops.models import Agent, Assignment
from meters.models import Register
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import MeterFactory, RegionFactory, supplied_register
from tests.field_ops.factories import AgentFactory

STREETS = (("12 Keong Saik Road", 1.3010), ("40 Neil Road", 1.3040), ("7 Duxton Hill", 1.3100))
SERIAL = "SG-400100"


@dataclass(frozen=True)
class Walk:
    """An agent with three meters to read, the second one overdue."""

    agent: Agent
    assignments: tuple[Assignment, ...]

    @property
    def register(self) -> Register:
        """The dial of the first meter."""
        return self.assignments[0].meter.registers.get()


def walk_of(user: User) -> Walk:
    """Make an agent of a user, with their walk."""
    now = timezone.now()
    region = RegionFactory()
    agent = AgentFactory(user=user, region=region)
    assignments = []
    for number, (street, latitude) in enumerate(STREETS):
        meter = MeterFactory(
            serial=f"SG-40010{number}", address=street, latitude=latitude, longitude=103.8, region=region
        )
        supplied_register(meter=meter)
        marks = [floor_half_hour(now - timedelta(days=days)) for days in (60, 30)]
        offered = [
            OfferedReading(meter_id=meter.serial, timestamp=mark, value=Decimal(41_000 + 400 * index))
            for index, mark in enumerate(marks)
        ]
        assert receive_readings(readings=offered, actor=PORTAL, now=now).stored == len(marks)
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


@cache
def picture() -> bytes:
    """A JPEG of a bit more than two pieces' size, which noise does not compress."""
    noise = Image.effect_noise((1000, 800), 90).convert("RGB")
    written = io.BytesIO()
    noise.save(written, "JPEG", quality=92)
    return written.getvalue()


def wait_until(page: Page, expression: str) -> None:
    """Ask a page until something holds; to ask inside of it over and over, as the driver would, its policy forbids."""
    for _ in range(150):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"It did not come true: {expression}")


def wait_until_kept(page: Page) -> None:
    """Wait, on the list, until all is kept that the pages need without a connection."""
    expect(page.get_by_role("heading", name="3 meters to read")).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.wait_for_function("async () => Boolean(await (await caches.open('field-pages')).match('/field/'))")


def fill_in(page: Page, serial: str, value: str) -> None:
    """Take a reading with thumbs: the number typed, a photo, the value on the pad."""
    page.get_by_label("Number on the meter").fill(serial)
    page.get_by_label("Photo", exact=True).set_input_files(
        {"name": "meter.jpg", "mimeType": "image/jpeg", "buffer": picture()}
    )
    expect(page.get_by_text("Photo taken")).to_be_visible()
    for key in value:
        name = "Decimal point" if key == "." else key
        page.get_by_role("group", name="Number pad").get_by_role("button", name=name, exact=True).click()
