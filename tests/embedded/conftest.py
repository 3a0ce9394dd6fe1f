"""Homes that really hold services, and processes that really die."""

import time
from collections.abc import Callable, Iterator

import pytest

from energy_portal.embedded.home import Home
from tests.embedded.running import new_home


@pytest.fixture(autouse=True)
def embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATABASE_URL", "REDIS_URL", "MQTT_URL"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def home() -> Iterator[Home]:
    """A home of the test's own."""
    with new_home() as made:
        yield made


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Ask until the answer is yes, or half a minute has gone by."""

    def ask(question: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 30
        while not question():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    return ask
