from django.conf import settings
import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0004_name_units_as_written"), migrations.swappable_dependency(settings.AUTH_USER_MODEL), ("accounts", "0002_user_login_epoch")]

    operations = [
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('import_readings', 'Import Readings'), ('import_bindings', 'Import Bindings'), ('export_readings', 'Export Readings'), ('archive', 'Archive'), ('restore_archive', 'Restore Archive'), ('rehearsal', 'Rehearsal')], max_length=20)),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='queued', max_length=10)),
                ('parameters', models.JSONField(default=dict)),
                ('upload', models.CharField(blank=True, help_text="Its file's name below the upload folder.", max_length=255)),
                ('upload_name', models.CharField(blank=True, help_text='As the sender calls it.', max_length=255)),
                ('result', models.CharField(blank=True, help_text="Its result's name below the upload folder.", max_length=255)),
                ('done', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0, help_text='0 while it is not known.')),
                ('report', models.JSONField(default=dict)),
                ('error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ('-created_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='ReadingWork',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('rollup', 'Rollup'), ('validation', 'Validation'), ('estimation', 'Estimation')], max_length=10)),
                ('register_ids', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ('low', models.DateTimeField(help_text='The earliest instant that was written.')),
                ('high', models.DateTimeField(help_text='The latest instant that was written.')),
                ('logged_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('id',),
            },
        ),
        migrations.AddField(
            model_name='job',
            name='asked_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='job',
            name='source',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.datasource'),
        ),
        migrations.AddIndex(
            model_name='readingwork',
            index=models.Index(fields=['purpose', 'id'], name='reading_work_by_purpose'),
        ),
    ]
