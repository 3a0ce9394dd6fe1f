from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0006_validation_rules")]

    operations = [
        migrations.RemoveConstraint(
            model_name='readingexception',
            name='reading_exception_once_a_value',
        ),
        migrations.AddField(
            model_name='readingexception',
            name='detail',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='readingexception',
            name='offered_quality',
            field=models.PositiveSmallIntegerField(blank=True, choices=[(0, 'Valid'), (7, 'Edited'), (8, 'Reference Day'), (9, 'Linear'), (10, 'Questionable'), (11, 'Derived'), (12, 'Projected'), (14, 'Raw'), (17, 'Validated'), (18, 'Verified'), (19, 'Revenue')], null=True),
        ),
        migrations.AddField(
            model_name='readingexception',
            name='raw_stamp',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='readingexception',
            name='severity',
            field=models.CharField(choices=[('reject', 'reject: it does not enter'), ('quarantine', 'quarantine: it waits for a decision'), ('flag', 'flag: it enters, and an exception opens'), ('info', 'info: it enters, and is only counted')], default='flag', max_length=10),
        ),
        migrations.AddField(
            model_name='readingexception',
            name='until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='readingexception',
            name='offered_value',
            field=models.DecimalField(blank=True, decimal_places=6, max_digits=15, null=True),
        ),
        migrations.AlterField(
            model_name='readingexception',
            name='status',
            field=models.CharField(choices=[('open', 'Open'), ('accepted', 'Accepted'), ('rejected', 'Rejected'), ('estimated', 'Estimated'), ('reclassified', 'Reclassified')], default='open', max_length=15),
        ),
        migrations.AddIndex(
            model_name='readingexception',
            index=models.Index(fields=['register', 'time'], name='reading_exception_by_register'),
        ),
        migrations.AddConstraint(
            model_name='readingexception',
            constraint=models.UniqueConstraint(fields=('register', 'time', 'code', 'offered_value'), name='reading_exception_once_a_value', nulls_distinct=False),
        ),
    ]
