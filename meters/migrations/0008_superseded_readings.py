from django.conf import settings
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0007_exceptions_wait_for_decisions"), migrations.swappable_dependency(settings.AUTH_USER_MODEL), ("accounts", "0002_user_login_epoch")]

    operations = [
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('time', models.DateTimeField()),
                ('old_value', models.DecimalField(decimal_places=6, max_digits=15, null=True)),
                ('old_quality', models.PositiveSmallIntegerField(choices=[(0, 'Valid'), (7, 'Edited'), (8, 'Reference Day'), (9, 'Linear'), (10, 'Questionable'), (11, 'Derived'), (12, 'Projected'), (14, 'Raw'), (17, 'Validated'), (18, 'Verified'), (19, 'Revenue')], null=True)),
                ('new_value', models.DecimalField(decimal_places=6, max_digits=15, null=True)),
                ('new_quality', models.PositiveSmallIntegerField(choices=[(0, 'Valid'), (7, 'Edited'), (8, 'Reference Day'), (9, 'Linear'), (10, 'Questionable'), (11, 'Derived'), (12, 'Projected'), (14, 'Raw'), (17, 'Validated'), (18, 'Verified'), (19, 'Revenue')], null=True)),
                ('reason', models.TextField()),
                ('touched', models.JSONField(default=dict)),
                ('made_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('-made_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='SupersededReading',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('time', models.DateTimeField()),
                ('value', models.DecimalField(decimal_places=6, max_digits=15)),
                ('quality', models.PositiveSmallIntegerField(choices=[(0, 'Valid'), (7, 'Edited'), (8, 'Reference Day'), (9, 'Linear'), (10, 'Questionable'), (11, 'Derived'), (12, 'Projected'), (14, 'Raw'), (17, 'Validated'), (18, 'Verified'), (19, 'Revenue')])),
                ('raw_stamp', models.TextField(null=True)),
                ('received_at', models.DateTimeField(help_text='From when on it stood.')),
                ('superseded_at', models.DateTimeField(help_text='Until when it stood.')),
                ('reason', models.CharField(choices=[('correction', 'Correction'), ('true_data', 'true data came'), ('new_estimate', 'New Estimate'), ('withdrawn', 'Withdrawn')], max_length=15)),
            ],
            options={
                'ordering': ('register', 'time', 'superseded_at', 'id'),
            },
        ),
        migrations.AddField(
            model_name='registerstate',
            name='estimated_from',
            field=models.DateTimeField(help_text='Of the earliest estimate that stands.', null=True),
        ),
        migrations.AlterField(
            model_name='registerstate',
            name='last_time',
            field=models.DateTimeField(help_text='Of the newest reading that is no estimate.', null=True),
        ),
        migrations.AddField(
            model_name='correction',
            name='made_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='correction',
            name='register',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='corrections', to='meters.register'),
        ),
        migrations.AddField(
            model_name='correction',
            name='source',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.datasource'),
        ),
        migrations.AddField(
            model_name='supersededreading',
            name='correction',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='superseded', to='meters.correction'),
        ),
        migrations.AddField(
            model_name='supersededreading',
            name='register',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='superseded', to='meters.register'),
        ),
        migrations.AddField(
            model_name='supersededreading',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.datasource'),
        ),
        migrations.AddIndex(
            model_name='supersededreading',
            index=models.Index(fields=['register', 'time'], name='superseded_by_register'),
        ),
    ]
