import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('field_ops', '0003_days_of_rounds'),
    ]

    operations = [
        migrations.AlterField(
            model_name='photo',
            name='perceptual_hash',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='photo',
            name='hash_bands',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), blank=True, default=list, size=8),
        ),
    ]
