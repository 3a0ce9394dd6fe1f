"""What a load of demo data empties first."""

import pytest

from accounts.models import CustomerAccount
from energy_portal.management.demo.state import wipe
from meters.models import ValidationRule
from tests.factories import CustomerAccountFactory, ValidationRuleFactory


@pytest.mark.django_db
class TestWipe:
    def test_leaves_the_rules_that_a_migration_brought(self):
        rule = ValidationRuleFactory()
        CustomerAccountFactory()

        wipe()

        assert not CustomerAccount.objects.exists()
        assert ValidationRule.objects.filter(pk=rule.pk).exists()
