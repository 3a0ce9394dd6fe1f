from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_flat_rates_as_components")]

    operations = [
        migrations.RemoveField(model_name="historicaltariffversion", name="energy_rate"),
        migrations.RemoveField(model_name="tariffversion", name="energy_rate"),
    ]
