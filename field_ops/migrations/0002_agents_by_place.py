from django.contrib.postgres.indexes import GistIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations
from django.db.models import F, Func


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("field_ops", "0001_agents_assignments_submissions")]

    operations = [
        AddIndexConcurrently(
            model_name="agent",
            index=GistIndex(Func(F("longitude"), F("latitude"), function="point"), name="agent_by_place"),
        ),
    ]
