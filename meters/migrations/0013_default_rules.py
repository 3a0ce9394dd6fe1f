from django.db import migrations

RULES = (
    ("off_mark", "reject", {}),
    ("in_future", "reject", {"minutes": 5}),
    ("unknown_meter", "reject", {}),
    ("inactive_meter", "reject", {}),
    ("wrong_unit", "reject", {}),
    ("duplicate", "info", {}),
    ("conflict", "flag", {}),
    ("regression", "reject", {}),
    ("rollover", "info", {}),
    ("negative", "reject", {}),
    ("over_capacity", "quarantine", {"percent": 100}),
    ("high", "flag", {"weeks": 4, "least_weeks": 3, "deviations": 8, "percent": 150, "percent_of_capacity": 25}),
    ("low", "flag", {"weeks": 4, "least_weeks": 3, "deviations": 8, "percent": 75, "percent_of_capacity": 10}),
    ("spike", "flag", {"percent": 180, "hours": 24, "percent_of_capacity": 50}),
    ("stuck", "flag", {"half_hours": 24}),
    ("zero_use", "flag", {"hours": 96}),
    ("inactive_use", "flag", {"hours": 24, "percent_of_capacity": 1}),
    ("sum_check", "flag", {"percent": 2}),
    ("gap", "flag", {"hours": 24}),
    ("prolonged_estimation", "flag", {"days": 7}),
    ("clock_drift", "flag", {"seconds": 60, "readings": 3}),
)


def add_rules(apps, schema_editor):
    rules = apps.get_model("meters", "ValidationRule").objects.using(schema_editor.connection.alias)
    for code, severity, thresholds in RULES:
        rules.get_or_create(
            code=code,
            commodity="",
            service_class="",
            defaults={"severity": severity, "thresholds": thresholds},
        )


class Migration(migrations.Migration):
    dependencies = [("meters", "0012_gas_values")]

    operations = [migrations.RunPython(add_rules, migrations.RunPython.noop)]
