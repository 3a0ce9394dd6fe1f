from django.db import migrations

# A meter's half-hours lie as they came in: one to a page, among all others'. With its values in the key's own leaves,
# in order, a month of them is a few pages, once a month is vacuumed.
_CARRYING = """
    ALTER TABLE meters_registerreading DROP CONSTRAINT meters_registerreading_pkey,
        ADD CONSTRAINT meters_registerreading_pkey PRIMARY KEY (register_id, time) INCLUDE (value, quality)
"""
_BARE = """
    ALTER TABLE meters_registerreading DROP CONSTRAINT meters_registerreading_pkey,
        ADD CONSTRAINT meters_registerreading_pkey PRIMARY KEY (register_id, time)
"""


class Migration(migrations.Migration):
    dependencies = [("meters", "0014_name_event_deliveries")]

    operations = [migrations.RunSQL(_CARRYING, _BARE)]
