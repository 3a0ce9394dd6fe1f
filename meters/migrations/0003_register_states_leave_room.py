from django.db import migrations


class Migration(migrations.Migration):
    """Every batch rewrites the state rows of its registers: with room on their pages no index changes."""

    dependencies = [("meters", "0002_register_reading_series")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE meters_registerstate SET (fillfactor = 45)",
            "ALTER TABLE meters_registerstate RESET (fillfactor)",
        ),
    ]
