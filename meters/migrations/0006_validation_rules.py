from django.conf import settings
import django.core.validators
import django.db.models.deletion
import simple_history.models
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0005_jobs_and_reading_work"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name='HistoricalValidationRule',
            fields=[
                ('id', models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ('code', models.CharField(choices=[('off_mark', 'Off Mark'), ('in_future', 'In Future'), ('unknown_meter', 'Unknown Meter'), ('inactive_meter', 'Inactive Meter'), ('wrong_unit', 'Wrong Unit'), ('duplicate', 'Duplicate'), ('conflict', 'Conflict'), ('regression', 'Regression'), ('rollover', 'Rollover'), ('negative', 'Negative'), ('over_capacity', 'Over Capacity'), ('high', 'High'), ('low', 'Low'), ('spike', 'Spike'), ('stuck', 'Stuck'), ('zero_use', 'Zero Use'), ('inactive_use', 'Inactive Use'), ('sum_check', 'Sum Check'), ('gap', 'Gap'), ('prolonged_estimation', 'Prolonged Estimation'), ('clock_drift', 'Clock Drift')], max_length=30)),
                ('commodity', models.CharField(blank=True, max_length=10)),
                ('service_class', models.CharField(blank=True, max_length=40)),
                ('severity', models.CharField(choices=[('reject', 'reject: it does not enter'), ('quarantine', 'quarantine: it waits for a decision'), ('flag', 'flag: it enters, and an exception opens'), ('info', 'info: it enters, and is only counted')], max_length=10)),
                ('thresholds', models.JSONField(blank=True, default=dict)),
                ('enabled', models.BooleanField(default=True)),
                ('updated_at', models.DateTimeField(blank=True, editable=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical validation rule',
                'verbose_name_plural': 'historical validation rules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Rehearsal',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(choices=[('off_mark', 'Off Mark'), ('in_future', 'In Future'), ('unknown_meter', 'Unknown Meter'), ('inactive_meter', 'Inactive Meter'), ('wrong_unit', 'Wrong Unit'), ('duplicate', 'Duplicate'), ('conflict', 'Conflict'), ('regression', 'Regression'), ('rollover', 'Rollover'), ('negative', 'Negative'), ('over_capacity', 'Over Capacity'), ('high', 'High'), ('low', 'Low'), ('spike', 'Spike'), ('stuck', 'Stuck'), ('zero_use', 'Zero Use'), ('inactive_use', 'Inactive Use'), ('sum_check', 'Sum Check'), ('gap', 'Gap'), ('prolonged_estimation', 'Prolonged Estimation'), ('clock_drift', 'Clock Drift')], max_length=30)),
                ('commodity', models.CharField(blank=True, max_length=10)),
                ('service_class', models.CharField(blank=True, max_length=40)),
                ('severity', models.CharField(choices=[('reject', 'reject: it does not enter'), ('quarantine', 'quarantine: it waits for a decision'), ('flag', 'flag: it enters, and an exception opens'), ('info', 'info: it enters, and is only counted')], max_length=10)),
                ('thresholds', models.JSONField(blank=True, default=dict)),
                ('days', models.PositiveSmallIntegerField(default=7, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(92)])),
                ('found', models.JSONField(default=dict)),
                ('asked_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('-asked_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='ValidationRule',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(choices=[('off_mark', 'Off Mark'), ('in_future', 'In Future'), ('unknown_meter', 'Unknown Meter'), ('inactive_meter', 'Inactive Meter'), ('wrong_unit', 'Wrong Unit'), ('duplicate', 'Duplicate'), ('conflict', 'Conflict'), ('regression', 'Regression'), ('rollover', 'Rollover'), ('negative', 'Negative'), ('over_capacity', 'Over Capacity'), ('high', 'High'), ('low', 'Low'), ('spike', 'Spike'), ('stuck', 'Stuck'), ('zero_use', 'Zero Use'), ('inactive_use', 'Inactive Use'), ('sum_check', 'Sum Check'), ('gap', 'Gap'), ('prolonged_estimation', 'Prolonged Estimation'), ('clock_drift', 'Clock Drift')], max_length=30)),
                ('commodity', models.CharField(blank=True, max_length=10)),
                ('service_class', models.CharField(blank=True, max_length=40)),
                ('severity', models.CharField(choices=[('reject', 'reject: it does not enter'), ('quarantine', 'quarantine: it waits for a decision'), ('flag', 'flag: it enters, and an exception opens'), ('info', 'info: it enters, and is only counted')], max_length=10)),
                ('thresholds', models.JSONField(blank=True, default=dict)),
                ('enabled', models.BooleanField(default=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ('code', 'commodity', 'service_class'),
            },
        ),
        migrations.AddField(
            model_name='historicalvalidationrule',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='rehearsal',
            name='asked_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='rehearsal',
            name='job',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rehearsal', to='meters.job'),
        ),
        migrations.AddConstraint(
            model_name='validationrule',
            constraint=models.UniqueConstraint(fields=('code', 'commodity', 'service_class'), name='validation_rule_once_a_scope'),
        ),
    ]
