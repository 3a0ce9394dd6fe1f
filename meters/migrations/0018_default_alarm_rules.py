from django.db import migrations

# 3,680 W: 16 A at 230 V. 207 V and 253 V: 230 V less and more 10 %, EN 50160. What is off by default is a matter of
# taste (how long a device may be silent) or nobody's at home to mend (the voltage of the network).
RULES = (
    {
        "kind": "over_temperature",
        "quantity": "temperature_c",
        "comparison": "above",
        "set_at": 80.0,
        "clear_at": 70.0,
        "severity": "critical",
        "escalate_after_minutes": 30,
        "is_enabled": True,
    },
    {
        "kind": "over_power",
        "quantity": "power_w",
        "comparison": "above",
        "set_at": 3680.0,
        "clear_at": 3500.0,
        "severity": "warning",
        "escalate_after_minutes": 60,
        "is_enabled": True,
    },
    {
        "kind": "over_voltage",
        "quantity": "voltage_v",
        "comparison": "above",
        "set_at": 253.0,
        "clear_at": 250.0,
        "severity": "info",
        "is_enabled": False,
    },
    {
        "kind": "under_voltage",
        "quantity": "voltage_v",
        "comparison": "below",
        "set_at": 207.0,
        "clear_at": 210.0,
        "severity": "info",
        "is_enabled": False,
    },
    {
        "kind": "offline",
        "quantity": "seen",
        "comparison": "silent",
        "no_data_seconds": 3600,
        "severity": "warning",
        "is_enabled": False,
    },
)
HOLDS = {"hold_seconds": 60, "clear_hold_seconds": 60}


def add_rules(apps, schema_editor):
    rules = apps.get_model("meters", "AlarmRule").objects.using(schema_editor.connection.alias)
    for rule in RULES:
        holds = {} if rule["comparison"] == "silent" else HOLDS
        rules.get_or_create(subject_kind="device", kind=rule["kind"], subject="", defaults={**rule, **holds})


class Migration(migrations.Migration):
    dependencies = [("meters", "0017_alarm_watches_remember")]

    operations = [migrations.RunPython(add_rules, migrations.RunPython.noop)]
