import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from meters.series.migrations import CreatePartitionedModel


class Migration(migrations.Migration):
    dependencies = [("meters", "0001_initial")]

    operations = [
        CreatePartitionedModel(
            name='RegisterReading',
            fields=[
                ('pk', models.CompositePrimaryKey('register_id', 'time', blank=True, editable=False, primary_key=True, serialize=False)),
                ('time', models.DateTimeField()),
                ('value', models.DecimalField(decimal_places=6, max_digits=15)),
                ('quality', models.PositiveSmallIntegerField(choices=[(0, 'Valid'), (7, 'Edited'), (8, 'Reference Day'), (9, 'Linear'), (10, 'Questionable'), (11, 'Derived'), (12, 'Projected'), (14, 'Raw'), (17, 'Validated'), (18, 'Verified'), (19, 'Revenue')], default=17)),
                ('raw_stamp', models.TextField(help_text="The source's own stamp, where it names another instant.", null=True)),
                ('received_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('register', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='readings', to='meters.register')),
                ('source', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.datasource')),
            ],
        ),
        migrations.AddIndex(
            model_name='registerreading',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['time'], name='registerreading_time_brin'),
        ),
    ]
