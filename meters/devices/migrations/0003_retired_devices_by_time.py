from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0002_default_mappings")]

    operations = [
        migrations.AddIndex(
            model_name="device",
            index=models.Index(
                condition=models.Q(("retired_at__isnull", False)), fields=["retired_at"], name="device_by_retirement"
            ),
        ),
    ]
