"""What a load of demo data empties first."""

import pytest

from energy_portal.management.demo.state import wipe
from meters.models import ValidationRule
from tests.factories import ValidationRuleFactory


@pytest.mark.django_db
class TestWipe:
    def test_leaves_the_rules_that_a_migration_brought(self):
        rule = ValidationRuleFactory()

        wipe()

        assert ValidationRule.objects.filter(pk=rule.pk).exists()
