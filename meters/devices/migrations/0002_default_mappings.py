from django.db import migrations

_DEFAULTS = (
    ("instant_power", "power_w", 1.0),
    ("temp_interior", "temperature_c", 1.0),
    ("cur_power", "power_w", 0.1),
    ("cur_voltage", "voltage_v", 0.1),
    ("cur_current", "current_a", 0.001),
    ("add_ele", "energy_wh", 1.0),
    ("switch", "switch", 1.0),
    ("switch_1", "switch", 1.0),
)


def add(apps, schema_editor):
    mapping = apps.get_model("devices", "PropertyMapping")
    mapping.objects.bulk_create(
        mapping(code=code, quantity=quantity, factor=factor) for code, quantity, factor in _DEFAULTS
    )
    apps.get_model("devices", "RollupMark").objects.create(id=1, until=None)


class Migration(migrations.Migration):
    dependencies = [("devices", "0001_initial")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
