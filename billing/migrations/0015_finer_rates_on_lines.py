from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0014_versions_on_issued_bills_are_kept")]

    operations = [
        migrations.AlterField(
            model_name="billline",
            name="rate",
            field=models.DecimalField(decimal_places=10, max_digits=20),
        ),
    ]
