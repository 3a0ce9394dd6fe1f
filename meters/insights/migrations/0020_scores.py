import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('insights', '0001_initial'),
        ('meters', '0024_job_kind_of_batteries'),
    ]

    operations = [
        migrations.DeleteModel(
            name='ForecastScore',
        ),
        migrations.AddField(
            model_name='forecast',
            name='look_again_at',
            field=models.DateTimeField(help_text='When its truth is looked at again; empty: no more.', null=True),
        ),
        migrations.AddIndex(
            model_name='forecast',
            index=models.Index(condition=models.Q(('look_again_at__isnull', False)), fields=['look_again_at'], name='forecast_to_look_at'),
        ),
        migrations.CreateModel(
            name='ForecastScore',
            fields=[
                ('half_hours', models.IntegerField(help_text='Whose truth was known.')),
                ('absolute_error', models.FloatField(help_text="Of the medians, in the forecasts' unit.")),
                ('truth', models.FloatField()),
                ('truth_size', models.FloatField(help_text='Of absolute values.')),
                ('median', models.FloatField()),
                ('mean', models.FloatField()),
                ('banded', models.IntegerField(help_text='Half-hours with a band.')),
                ('inside', models.IntegerField(help_text='Half-hours inside of it.')),
                ('measured', models.IntegerField(help_text='Half-hours of series whose usual error is known.')),
                ('measured_error', models.FloatField(help_text='Of the medians, on these.')),
                ('usual_error', models.FloatField(help_text='Of saying what was a day before, on these.')),
                ('scaled_error', models.FloatField(help_text='Errors by the usual error of their series.')),
                ('compared', models.IntegerField(help_text='Half-hours of which the week before is known.')),
                ('compared_error', models.FloatField(help_text='Of the medians, on these.')),
                ('naive_error', models.FloatField(help_text='Of saying what was a week before, on these.')),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('forecast', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scores', to='insights.forecast')),
                ('forecaster', models.CharField(max_length=30)),
                ('is_told', models.BooleanField(help_text='Whether it was what was told, and not computed beside it.')),
                ('model', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='scores', to='insights.forecastmodel')),
                ('cohort', models.CharField(max_length=40)),
                ('quantity', models.CharField(choices=[('energy_kwh', 'energy (kWh)'), ('soc_percent', 'state of charge (%)')], max_length=15)),
                ('day', models.DateField(help_text='Local, of the origin.')),
                ('day_ahead', models.PositiveSmallIntegerField(help_text='1: the first 24 h, 2: those after.')),
                ('scored_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('-day', 'id'),
                'indexes': [models.Index(fields=['cohort', 'forecaster', 'day'], name='forecast_score_by_cohort')],
                'constraints': [models.UniqueConstraint(fields=('forecast', 'forecaster', 'day_ahead'), name='forecast_score_one_a_day_and_forecaster')],
            },
        ),
        migrations.CreateModel(
            name='ScoreDay',
            fields=[
                ('half_hours', models.IntegerField(help_text='Whose truth was known.')),
                ('absolute_error', models.FloatField(help_text="Of the medians, in the forecasts' unit.")),
                ('truth', models.FloatField()),
                ('truth_size', models.FloatField(help_text='Of absolute values.')),
                ('median', models.FloatField()),
                ('mean', models.FloatField()),
                ('banded', models.IntegerField(help_text='Half-hours with a band.')),
                ('inside', models.IntegerField(help_text='Half-hours inside of it.')),
                ('measured', models.IntegerField(help_text='Half-hours of series whose usual error is known.')),
                ('measured_error', models.FloatField(help_text='Of the medians, on these.')),
                ('usual_error', models.FloatField(help_text='Of saying what was a day before, on these.')),
                ('scaled_error', models.FloatField(help_text='Errors by the usual error of their series.')),
                ('compared', models.IntegerField(help_text='Half-hours of which the week before is known.')),
                ('compared_error', models.FloatField(help_text='Of the medians, on these.')),
                ('naive_error', models.FloatField(help_text='Of saying what was a week before, on these.')),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('day', models.DateField(help_text='Local, of the origins.')),
                ('region', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='meters.region')),
                ('cohort', models.CharField(max_length=40)),
                ('quantity', models.CharField(choices=[('energy_kwh', 'energy (kWh)'), ('soc_percent', 'state of charge (%)')], max_length=15)),
                ('forecaster', models.CharField(max_length=30)),
                ('model', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='insights.forecastmodel')),
                ('day_ahead', models.PositiveSmallIntegerField()),
                ('is_told', models.BooleanField()),
                ('forecasts', models.IntegerField(help_text='How many are in it.')),
            ],
            options={
                'ordering': ('-day', 'id'),
                'constraints': [models.UniqueConstraint(fields=('day', 'cohort', 'quantity', 'forecaster', 'day_ahead', 'is_told', 'region', 'model'), name='score_day_one_a_group', nulls_distinct=False)],
                'indexes': [],
            },
        ),
    ]
