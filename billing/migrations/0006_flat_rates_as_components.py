"""Each version's one rate a kWh becomes its first component."""

from django.db import migrations


def make_components(apps, schema_editor):
    component = apps.get_model("billing", "TariffComponent")
    versions = apps.get_model("billing", "TariffVersion").objects.values_list("pk", "energy_rate")
    component.objects.bulk_create(
        component(
            version_id=version_id,
            position=1,
            kind="energy",
            name="Electricity",
            terms={"periods": [{"name": "", "tiers": [{"up_to": None, "rate": f"{rate.normalize():f}"}]}]},
        )
        for version_id, rate in versions
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_components_and_corrections")]

    operations = [migrations.RunPython(make_components, migrations.RunPython.noop)]
