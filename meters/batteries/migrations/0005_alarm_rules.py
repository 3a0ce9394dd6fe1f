from django.db import migrations

# (kind, quantity, set_at, clear_at, hold_seconds, severity): each with its reason in docs/operating.md.
RULES = (
    ("cell_spread_at_rest", "cell_spread_rest_v", 0.05, 0.03, 60, "warning"),
    ("cell_spread_under_load", "cell_spread_load_v", 0.15, 0.1, 30, "warning"),
    ("cell_temp_spread", "cell_temp_spread_c", 8.0, 6.0, 60, "warning"),
    ("cell_voltage_outside", "cell_voltage_excess_v", 0.01, -0.02, 10, "critical"),
    ("cell_temp_outside", "cell_temp_excess_c", 0.5, -2.0, 30, "critical"),
    ("igbt_temp_outside", "igbt_temp_excess_c", 0.5, -5.0, 10, "critical"),
    ("soc_outside", "soc_excess_percent", 0.5, -1.0, 60, "warning"),
    ("pack_voltage_outside", "pack_voltage_excess_v", 1.0, -2.0, 10, "warning"),
    ("current_outside", "current_of_limit_percent", 102.0, 98.0, 10, "warning"),
    ("pack_against_cells", "pack_against_cells_percent", 2.0, 1.0, 60, "warning"),
    ("soc_mismatch", "soc_mismatch_percent", 3.0, 1.5, 60, "warning"),
    ("dc_voltage_disagreement", "dc_voltage_gap_percent", 2.0, 1.0, 60, "warning"),
    ("dc_current_disagreement", "dc_current_gap_percent", 10.0, 5.0, 60, "warning"),
    ("derating_igbt_temp", "derating_igbt_temp_percent", 20.0, 10.0, 60, "warning"),
    ("derating_cell_temp", "derating_cell_temp_percent", 20.0, 10.0, 60, "warning"),
    ("derating_cell_voltage", "derating_cell_voltage_percent", 20.0, 10.0, 60, "info"),
    ("stuck_pack_voltage", "stuck_pack_voltage_minutes", 10.0, 1.0, 0, "warning"),
    ("stuck_cell_voltage", "stuck_cell_voltage_minutes", 10.0, 1.0, 0, "warning"),
    ("stuck_dc_voltage", "stuck_dc_voltage_minutes", 10.0, 1.0, 0, "warning"),
    ("stuck_current", "stuck_current_minutes", 10.0, 1.0, 0, "warning"),
    ("stuck_dc_current", "stuck_dc_current_minutes", 10.0, 1.0, 0, "warning"),
    ("stuck_igbt_temp", "stuck_igbt_temp_minutes", 10.0, 1.0, 0, "warning"),
)
ESCALATED = {"critical": 30}


def add_rules(apps, schema_editor):
    rules = apps.get_model("meters", "AlarmRule").objects.using(schema_editor.connection.alias)
    for kind, quantity, set_at, clear_at, hold, severity in RULES:
        rules.get_or_create(
            subject_kind="battery",
            kind=kind,
            subject="",
            defaults={
                "quantity": quantity,
                "comparison": "above",
                "set_at": set_at,
                "clear_at": clear_at,
                "hold_seconds": hold,
                "clear_hold_seconds": 60,
                "severity": severity,
                "escalate_after_minutes": ESCALATED.get(severity),
            },
        )
    rules.get_or_create(
        subject_kind="battery",
        kind="offline",
        subject="",
        defaults={"quantity": "seen", "comparison": "silent", "no_data_seconds": 300, "severity": "warning"},
    )


class Migration(migrations.Migration):
    dependencies = [("batteries", "0004_watch"), ("meters", "0018_default_alarm_rules")]

    operations = [migrations.RunPython(add_rules, migrations.RunPython.noop)]
