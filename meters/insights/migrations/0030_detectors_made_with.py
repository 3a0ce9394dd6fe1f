from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("insights", "0001_initial"),)

    operations = (
        migrations.AddField(
            "DetectorModel",
            "made_with",
            models.CharField(max_length=100, help_text="The versions of the libraries that can read it.", default=""),
            preserve_default=False,
        ),
    )
