from typing import Any

from django.core.management.base import BaseCommand

from billing.services.tariffs import load_singapore_tariff


class Command(BaseCommand):
    help = "Store the Singapore household tariff and GST; versions that stand are left alone."

    def handle(self, *args: Any, **options: Any) -> None:
        tariff = load_singapore_tariff()
        self.stdout.write(f"{tariff} has {tariff.versions.count()} versions.")
