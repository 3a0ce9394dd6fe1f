"""What a load of demo data empties first."""

from datetime import UTC, datetime

import pytest

from billing.models import TariffComponent
from billing.services.tariffs import load_singapore_tariff
from energy_portal.management.demo.state import wipe
from meters.devices.models import Product, PropertyMapping, StateMark
from meters.models import AlarmRule, ValidationRule


@pytest.mark.django_db
class TestWipe:
    def test_leaves_the_rules_that_a_migration_brought(self):
        rule = ValidationRule(code="spike", severity="flag", commodity="water")
        ValidationRule.objects.bulk_create([rule])  # past its history, whose check would wait for the commit

        wipe()

        assert ValidationRule.objects.filter(pk=rule.pk).exists()
        assert AlarmRule.objects.filter(kind="over_power").exists()

    def test_leaves_what_published_prices_charge(self):
        load_singapore_tariff()

        wipe()

        assert TariffComponent.objects.filter(version__tariff__code="sg-household").count() == 10

    def test_leaves_the_mappings_that_a_migration_brought_alone(self):
        product = Product.objects.create(product_id="p")
        PropertyMapping.objects.bulk_create([PropertyMapping(product=product, code="own", quantity="power_w")])
        StateMark.objects.update(until=datetime(2026, 1, 1, tzinfo=UTC))

        wipe()

        assert PropertyMapping.objects.filter(code="cur_power").exists()
        assert not Product.objects.exists()
        assert StateMark.objects.get().until is None
