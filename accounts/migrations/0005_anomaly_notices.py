from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_notifications_and_preferences"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notificationchoice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("bill_issued", "A bill is issued"),
                    ("reminder", "A bill is not paid yet"),
                    ("alarm", "An alarm is raised or over"),
                    ("anomaly", "Unusual use is noticed"),
                    ("correction", "A bill is corrected"),
                    ("household", "Somebody joins or leaves the household"),
                ],
                max_length=20,
            ),
        ),
    ]
