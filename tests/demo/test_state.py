"""What a load of demo data empties first."""

import pytest

from energy_portal.management.demo.state import wipe
from meters.models import ValidationRule


@pytest.mark.django_db
class TestWipe:
    def test_leaves_the_rules_that_a_migration_brought(self):
        rule = ValidationRule(code="spike", severity="flag", commodity="water")
        ValidationRule.objects.bulk_create([rule])  # past its history, whose check would wait for the commit

        wipe()

        assert ValidationRule.objects.filter(pk=rule.pk).exists()
