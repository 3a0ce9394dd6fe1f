"""People who decide."""

import pytest

import field_ops.tasks  # noqa: F401  workers import it themselves
from accounts.actors import Actor
from tests.factories import AdminFactory, ManagerFactory


@pytest.fixture
def manager() -> Actor:
    return Actor(user=ManagerFactory(name="Mei"))


@pytest.fixture
def admin() -> Actor:
    return Actor(user=AdminFactory(name="Ada"))
