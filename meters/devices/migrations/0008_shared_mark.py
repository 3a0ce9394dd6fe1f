"""What tells writers of samples the roll-up's mark, and keeps it where it is until their transaction ends."""

from django.db import migrations

_FUNCTION = """
CREATE FUNCTION devices_shared_mark() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('rollup mark of devices', 0));
    RETURN (SELECT until FROM devices_rollupmark WHERE id = 1);
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("devices", "0007_archived_day_manifest")]

    operations = [migrations.RunSQL(_FUNCTION, "DROP FUNCTION devices_shared_mark()")]
