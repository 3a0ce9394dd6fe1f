import django.db.models.deletion
from django.db import migrations, models

from meters.series.migrations import CreatePartitionedModel


class Migration(migrations.Migration):
    dependencies = [("meters", "0008_superseded_readings")]

    operations = [
        CreatePartitionedModel(
            name='RegisterDay',
            fields=[
                ('pk', models.CompositePrimaryKey('register_id', 'time', blank=True, editable=False, primary_key=True, serialize=False)),
                ('time', models.DateTimeField()),
                ('until', models.DateTimeField()),
                ('energy', models.DecimalField(decimal_places=6, max_digits=15, null=True)),
                ('known_energy', models.DecimalField(decimal_places=6, max_digits=15, null=True)),
                ('estimated_energy', models.DecimalField(decimal_places=6, default=0, max_digits=15)),
                ('half_hours_known', models.PositiveSmallIntegerField(default=0)),
                ('quality', models.PositiveSmallIntegerField(choices=[(0, 'Valid'), (7, 'Edited'), (8, 'Reference Day'), (9, 'Linear'), (10, 'Questionable'), (11, 'Derived'), (12, 'Projected'), (14, 'Raw'), (17, 'Validated'), (18, 'Verified'), (19, 'Revenue')], null=True)),
                ('computed_at', models.DateTimeField()),
                ('register', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='days', to='meters.register')),
            ],
        ),
    ]
