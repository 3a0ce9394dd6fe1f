"""One embedded PostgreSQL for the whole run, started by the process that controls it; workers connect."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack

import hypothesis
import pytest
from django.conf import settings
from django.test import TransactionTestCase

from energy_portal.embedded.home import Home
from energy_portal.embedded.postgres import Postgres
from energy_portal.embedded.services import running
from tests.emptying import empty_database
from tests.prepared import LONGEST_WAIT_SECONDS, begin_suite

# How long an example takes depends on what else the machine does; no test judges it. Each run draws others.
hypothesis.settings.register_profile("portal", deadline=None, max_examples=60)
hypothesis.settings.load_profile("portal")

_services = pytest.StashKey[ExitStack]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workerinput") or os.environ.get("DATABASE_URL") or config.option.collectonly:
        return
    home = Home(settings.PORTAL_HOME)
    report = config.get_terminal_writer().line
    services = config.stash[_services] = ExitStack()
    services.enter_context(
        home.locked(
            LONGEST_WAIT_SECONDS,
            on_wait=lambda: report(f"Another run uses {home.path}: waiting for its end."),
        )
    )
    begin_suite(home)
    services.enter_context(running(Postgres(home, disposable=True)))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if services := config.stash.get(_services, None):
        services.close()


def pytest_xdist_auto_num_workers() -> int:
    """Take two workers a core: half of the time a worker waits for the database or for processes that start."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, which start whole portals, so that no worker waits for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was imported and collected, which stays to the end, out of every search for garbage from now on."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Empty the database after tests that commit as ``empty_database`` does, which takes a tenth of a flush."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: empty_database())
        yield
