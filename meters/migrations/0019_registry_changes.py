from django.db import migrations, models

# What the readings' door knows of meters holds as long as this log stands still: every statement that changes one of
# these tables adds a row to it in its own transaction.
_TABLES = (
    "meters_meter",
    "meters_register",
    "meters_installation",
    "meters_servicepoint",
    "accounts_premises",
)
_FUNCTION = """
CREATE FUNCTION meters_note_registry_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO meters_registrychange (changed_at) VALUES (now());
    RETURN NULL;
END
$$;
"""
_TRIGGER = """
CREATE TRIGGER {table}_notes_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION meters_note_registry_change();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("meters", "0018_default_alarm_rules")]

    operations = [
        migrations.CreateModel(
            name="RegistryChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("changed_at", models.DateTimeField()),
            ],
            options={"ordering": ("id",)},
        ),
        migrations.RunSQL(
            _FUNCTION + "".join(_TRIGGER.format(table=table) for table in _TABLES),
            "".join(f"DROP TRIGGER {table}_notes_change ON {table};" for table in _TABLES)
            + "DROP FUNCTION meters_note_registry_change();",
        ),
    ]
