from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("meters", "0013_default_rules"),)

    operations = (
        migrations.AlterModelOptions(
            name="eventdelivery", options={"ordering": ("event",), "verbose_name_plural": "event deliveries"}
        ),
    )
