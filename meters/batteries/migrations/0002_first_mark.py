from django.db import migrations


def add(apps, schema_editor):
    apps.get_model("batteries", "QuarterMark").objects.create(id=1, until=None)


class Migration(migrations.Migration):
    dependencies = [("batteries", "0001_initial")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
