"""The portal's own server on the suite's database, and a browser in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from accounts.models import CustomerAccount, User
from billing.models import Bill, Tariff, TariffVersion
from billing.services.tariffs import load_singapore_tariff
from energy_portal.embedded.home import Home
from energy_portal.embedded.services import running
from energy_portal.embedded.valkey import Valkey
from energy_portal.shared.clock import YearMonth, floor_half_hour, local_month, zone
from tests.browser.walks import Walk, walk_of
from tests.factories import TariffVersionFactory, UserFactory, singapore_bill
from tests.field_ops.factories import AgentUserFactory
from tests.households import home_of, report

# The synchronous browser driver runs an event loop in this thread until the last test of this folder has ended;
# nothing here is asynchronous but that.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PASSWORD = "a-long-enough-password"
START_SECONDS = 60.0
PATIENCE_MS = 15_000
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
# A loaded machine may take its time; what is there at once is waited for no longer.
expect.set_options(timeout=PATIENCE_MS)
HERE = {"latitude": 1.3000, "longitude": 103.8000, "accuracy": 8}


@dataclass(frozen=True)
class Household:
    """A customer with an account, a meter that reports, and a bill."""

    user: User
    account: CustomerAccount
    bill: Bill


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.fail("The browser tests need chromium; `make test-browser` installs it where apt is.")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def cache(tmp_path_factory) -> Iterator[str]:
    """A Valkey of the run's own: what the server counts, remembers and sends to workers, of which there are none."""
    home = Home(tmp_path_factory.mktemp("home"))
    with running(Valkey(home)):
        yield home.endpoints.redis_url


@pytest.fixture(scope="package")
def site(django_db_setup, cache) -> Iterator[str]:
    """Run the server as in production, on a port of its own, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(port, cache) as address:
        yield address


@contextmanager
def serving(port: int, cache: str) -> Iterator[str]:
    """Run the server on a port until the block ends, and yield its address once it is up."""
    server = [sys.executable, "-m", "energy_portal.embedded.web", "--port", str(port)]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "DATABASE_URL": database_url(),
        "DATABASE_POOL_SIZE": "4",
        "REDIS_URL": cache,
        "UPLOAD_DIR": str(settings.UPLOAD_DIR),
        "LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen(server, env=environment) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address, process)
            yield address
        finally:
            process.terminate()


def database_url() -> str:
    database = connection.settings_dict
    login = quote(database["USER"]) + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
    place = quote(database["HOST"], safe="") + (f":{database['PORT']}" if database["PORT"] else "")
    return f"postgresql://{login}@{place}/{database['NAME']}"


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"The server ended with {process.returncode}.")
        try:
            with urllib.request.urlopen(f"{address}/livez", timeout=5):  # noqa: S310  our own server
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("The server did not come up.")


def with_password(user: User) -> User:
    """Give somebody a password that the server knows: the suite's fast hash is none that a real one takes."""
    User.objects.filter(pk=user.pk).update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1))
    return user


@pytest.fixture
def household(transactional_db) -> Household:
    now = timezone.now()
    load_singapore_tariff()
    default = Tariff.objects.get(is_default=True)
    last = TariffVersion.objects.filter(tariff=default).order_by("effective").last()
    TariffVersionFactory(tariff=default, name="now", effective=DateRange(last.effective.upper, None))
    user = with_password(UserFactory(name="Mei Ling Tan"))
    account, register = home_of(user, number="A-1001", owner_name="Mei Ling Tan", address="1 Lorong Ampas")
    before = YearMonth.of(now, zone(account.zone)).previous()
    start = local_month(before.previous(), zone(account.zone)).start
    gap = now - timedelta(days=1)
    report(register, start=start, until=floor_half_hour(now), keep=lambda mark: abs(mark - gap) > timedelta(hours=1))
    bill = singapore_bill(account=account, first_day=date(before.year, before.month, 1), issued_at=now)
    return Household(user, account, bill)


@dataclass
class Visitor:
    """Somebody in front of a browser, who notes what it complains about."""

    page: Page
    site: str
    complaints: list[str]

    def open(self, path: str) -> None:
        self.page.goto(self.site + path)

    def log_in(self, user: User, begins_at: str = "**/home") -> None:
        self.open("/login")
        self.page.get_by_label("E-mail address").fill(user.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(begins_at)

    def expect_sound(self) -> None:
        """Nothing serious for axe, nothing wider than the screen, nothing on the console."""
        self.page.wait_for_load_state("networkidle")
        found = Axe().run(self.page).response["violations"]
        grave = [
            (violation["id"], [node["target"] for node in violation["nodes"]])
            for violation in found
            if violation["impact"] in {"serious", "critical"}
        ]
        assert grave == [], self.page.url
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), self.page.url
        assert self.complaints == [], self.page.url


def visitor_in(context: BrowserContext, site: str) -> Visitor:
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    visitor = Visitor(page, site, [])
    page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    page.on("console", lambda line: line.type in {"error", "warning"} and visitor.complaints.append(line.text))
    return visitor


@pytest.fixture(params=["phone, light", "phone, dark", "desktop, light", "desktop, dark"])
def anywhere(request, browser, site) -> Iterator[Visitor]:
    """A visitor on each kind of screen, in each scheme."""
    screen, scheme = request.param.split(", ")
    size = PHONE if screen == "phone" else DESKTOP
    with browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce") as context:
        yield visitor_in(context, site)


@pytest.fixture
def visitor(browser, site) -> Iterator[Visitor]:
    with browser.new_context(viewport=DESKTOP) as context:
        yield visitor_in(context, site)


@pytest.fixture
def without_scripts(browser, site) -> Iterator[Visitor]:
    with browser.new_context(viewport=PHONE, java_script_enabled=False) as context:
        yield visitor_in(context, site)


@pytest.fixture
def walk(transactional_db) -> Walk:
    return walk_of(with_password(AgentUserFactory(name="Ravi Kumar")))


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
