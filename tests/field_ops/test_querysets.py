"""Who sees which field work."""

import pytest

from accounts.roles import Role
from field_ops.models import Agent, ApprovalRequest, Assignment, Submission
from meters.models import RegionManager
from tests.factories import AdminFactory, ManagerFactory, RegionFactory, UserFactory
from tests.field_ops.factories import ApprovalRequestFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def two():
    """A request in each of two regions."""
    return ApprovalRequestFactory(), ApprovalRequestFactory()


def seen_by(user):
    return [set(model.objects.visible_to(user)) for model in (Agent, Assignment, Submission, ApprovalRequest)]


def all_of(*requests):
    rows = [(each.agent, each.submission.assignment, each.submission, each) for each in requests]
    return [set(column) for column in zip(*rows, strict=True)]


class TestVisibleTo:
    def test_shows_an_agent_their_own_alone(self, two):
        assert seen_by(two[0].agent.user) == all_of(two[0])

    def test_shows_a_manager_with_regions_what_lies_in_them(self, two):
        manager = ManagerFactory()
        RegionManager.objects.create(region=two[1].agent.region, user=manager)

        assert seen_by(manager) == all_of(two[1])

    def test_shows_a_manager_without_regions_and_an_admin_everything(self, two):
        RegionManager.objects.create(region=RegionFactory(), user=ManagerFactory())

        assert seen_by(ManagerFactory()) == seen_by(AdminFactory()) == all_of(*two)

    @pytest.mark.parametrize("fields", [{"role": Role.CUSTOMER}, {"role": Role.OPERATOR}])
    def test_shows_nothing_to_others(self, two, fields):
        assert seen_by(UserFactory(**fields)) == [set()] * 4

    def test_shows_nothing_to_who_is_suspended(self, two):
        suspended = AdminFactory(status="suspended")

        assert seen_by(suspended) == [set()] * 4
