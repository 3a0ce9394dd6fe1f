import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('field_ops', '0001_agents_assignments_submissions'),
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
