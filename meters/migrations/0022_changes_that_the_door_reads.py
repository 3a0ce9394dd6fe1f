from django.db import migrations

# Of a meter the readings' door knows its serial, type and condition (see store.door): where it lies, and so in which
# region, is none of its business, and must not cost every process what it has looked up.
_CHANGES = """
DROP TRIGGER meters_meter_notes_change ON meters_meter;
CREATE TRIGGER meters_meter_notes_change AFTER INSERT OR UPDATE {columns} OR DELETE OR TRUNCATE ON meters_meter
    FOR EACH STATEMENT EXECUTE FUNCTION meters_note_registry_change();
"""


class Migration(migrations.Migration):
    dependencies = [("meters", "0021_regions_of_meters_and_managers")]

    operations = [
        migrations.RunSQL(_CHANGES.format(columns="OF id, serial, type, status"), _CHANGES.format(columns="")),
    ]
