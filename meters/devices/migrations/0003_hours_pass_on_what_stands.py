from django.db import migrations, models

import meters.series.fields

# A volatile function reads the mark in a snapshot that is newer than its lock: one statement that took the lock and read
# the table would read it as it was before it had waited.
_SHARE = """
CREATE FUNCTION devices_share_rollup_mark() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('rollup mark of devices', 0));
    RETURN (SELECT until FROM devices_rollupmark WHERE id = 1);
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("devices", "0002_default_mappings")]

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
        migrations.RunSQL(_SHARE, "DROP FUNCTION devices_share_rollup_mark()"),
    ]
