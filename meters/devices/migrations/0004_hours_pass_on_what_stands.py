from django.db import migrations, models

import meters.series.fields


class Migration(migrations.Migration):
    dependencies = [("devices", "0003_retired_devices_by_time")]

    operations = [
        migrations.AddField(
            model_name="devicehour",
            name="end_power_w",
            field=meters.series.fields.RealField(
                help_text="What stands at its end; empty where nothing is known of the power.", null=True
            ),
        ),
        migrations.AddField(
            model_name="devicehour",
            name="end_heard_at",
            field=models.DateTimeField(
                help_text="The last word before its end, where a power stands.", null=True
            ),
        ),
    ]
