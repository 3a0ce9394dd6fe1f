import django.db.models.deletion
from django.db import migrations, models

import meters.series.fields


class Migration(migrations.Migration):
    dependencies = [("batteries", "0003_imports")]

    operations = [
        migrations.CreateModel(
            name="BatteryLook",
            fields=[
                (
                    "battery",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="look",
                        serialize=False,
                        to="batteries.battery",
                    ),
                ),
                ("heard_at", models.DateTimeField(help_text="When what was looked at last was heard.")),
                (
                    "pondered_at",
                    models.DateTimeField(
                        help_text="When its last minutes were looked at, not just its newest values.", null=True
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="batteryquarter",
            name="soh_percent",
            field=meters.series.fields.RealField(help_text="The last that was told in it.", null=True),
        ),
    ]
