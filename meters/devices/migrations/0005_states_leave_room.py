from django.db import migrations, models


def add_mark(apps, schema_editor):
    apps.get_model("devices", "StateMark").objects.create(id=1)


class Migration(migrations.Migration):
    """The row of a device's state is rewritten every few seconds: with room on its page no index is touched."""

    dependencies = [("devices", "0004_hours_pass_on_what_stands")]

    operations = [
        migrations.CreateModel(
            name="StateMark",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("until", models.DateTimeField(null=True)),
                ("late_until", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": (models.CheckConstraint(condition=models.Q(("id", 1)), name="state_mark_is_one"),),
            },
        ),
        migrations.RunPython(add_mark, migrations.RunPython.noop, elidable=False),
        migrations.RemoveIndex(model_name="devicestate", name="device_state_online"),
        migrations.AddIndex(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("is_online", False)), fields=["device"], name="device_state_offline"
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE devices_devicestate SET (fillfactor = 45)",
            "ALTER TABLE devices_devicestate RESET (fillfactor)",
        ),
    ]
