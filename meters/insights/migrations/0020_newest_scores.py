from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("insights", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="forecastscore", name="forecast_score_by_cohort"),
        migrations.AddIndex(
            model_name="forecastscore",
            index=models.Index(fields=["cohort", "is_told", "day_ahead", "day"], name="forecast_score_newest"),
        ),
    ]
