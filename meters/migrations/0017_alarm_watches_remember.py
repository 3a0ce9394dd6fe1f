import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_user_login_epoch"), ("meters", "0016_regions_and_alarms")]

    operations = [
        migrations.AlterModelOptions(
            name="alarmwatch", options={"ordering": ("id",), "verbose_name_plural": "alarm watches"}
        ),
        migrations.AlterField(
            model_name="alarmwatch",
            name="phase",
            field=models.CharField(
                choices=[
                    ("quiet", "Quiet"),
                    ("holding", "begins to hold"),
                    ("raised", "Raised"),
                    ("clearing", "begins to be over"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="alarmwatch",
            name="seen_at",
            field=models.DateTimeField(
                default=timezone.now, help_text="The instant of the newest value that was looked at."
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="alarmwatch",
            name="label",
            field=models.CharField(default="", max_length=150),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="alarmwatch", name="value", field=models.FloatField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="alarmwatch",
            name="account",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="accounts.customeraccount",
            ),
        ),
        migrations.AddField(
            model_name="alarmwatch",
            name="region",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="meters.region",
            ),
        ),
    ]
