from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from accounts.actors import PORTAL
from accounts.models import DataSource, User
from accounts.services.sources import create_source
from tests.factories import AccountAccessFactory, AdminFactory, CustomerAccountFactory, ManagerFactory, UserFactory

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
PASSWORD = "a-long-enough-password"


@pytest.fixture
def now(time_machine):
    time_machine.move_to(NOW, tick=False)
    return NOW


@pytest.fixture(autouse=True)
def _unthrottled():
    cache.clear()


@pytest.fixture
def account():
    return CustomerAccountFactory(number="A-1001", owner_name="Mei Tan")


@pytest.fixture
def administrator(account) -> User:
    return AccountAccessFactory(account=account, right="administer").user


@pytest.fixture
def viewer(account) -> User:
    return AccountAccessFactory(account=account, right="view").user


@pytest.fixture
def stranger() -> User:
    return AccountAccessFactory().user


@pytest.fixture
def manager() -> User:
    return ManagerFactory()


@pytest.fixture
def admin() -> User:
    return AdminFactory()


@pytest.fixture
def person() -> User:
    return UserFactory(email="mei@example.org", name="Mei Tan")


@pytest.fixture
def source_and_key() -> tuple[DataSource, str]:
    return create_source(name="head-end", scopes=["readings"], actor=PORTAL, now=NOW)


@pytest.fixture
def api() -> Callable[..., APIClient]:
    """Return a client that sends a bearer token or key, or nothing."""

    def client(bearer: str | None = None, user: User | None = None) -> APIClient:
        made = APIClient()
        if user is not None:
            answer = made.post("/api/v1/auth/token", {"email": user.email, "password": PASSWORD}, format="json")
            bearer = answer.json()["access"]
        if bearer is not None:
            made.credentials(HTTP_AUTHORIZATION=f"Bearer {bearer}")
        return made

    return client
