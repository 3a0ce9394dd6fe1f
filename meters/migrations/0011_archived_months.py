from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0010_domain_events")]

    operations = [
        migrations.CreateModel(
            name='ArchivedMonth',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('table', models.CharField(max_length=63)),
                ('low', models.DateTimeField()),
                ('high', models.DateTimeField(help_text='Not included.')),
                ('path', models.CharField(help_text='Below the archive folder.', max_length=255)),
                ('rows', models.BigIntegerField()),
                ('digest', models.CharField(help_text='SHA-256 of the file.', max_length=64)),
                ('manifest', models.JSONField(default=dict)),
                ('revision', models.PositiveSmallIntegerField(default=1)),
                ('archived_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('table', 'low'),
            },
        ),
        migrations.AddConstraint(
            model_name='archivedmonth',
            constraint=models.UniqueConstraint(fields=('table', 'low'), name='archived_month_once'),
        ),
    ]
