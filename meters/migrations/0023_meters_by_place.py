from django.contrib.postgres.indexes import GistIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations
from django.db.models import F, Func


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("meters", "0022_changes_that_the_door_reads")]

    operations = [
        AddIndexConcurrently(
            model_name="meter",
            index=GistIndex(Func(F("longitude"), F("latitude"), function="point"), name="meter_by_place"),
        ),
    ]
