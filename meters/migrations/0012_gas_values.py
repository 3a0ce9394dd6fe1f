from decimal import Decimal
import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0011_archived_months")]

    operations = [
        migrations.AddField(
            model_name='historicalservicepoint',
            name='calorific_value_mj_m3',
            field=models.DecimalField(blank=True, decimal_places=4, help_text='Of the gas supplied, MJ/m³: makes kWh of m³.', max_digits=8, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0.0001'))]),
        ),
        migrations.AddField(
            model_name='historicalservicepoint',
            name='volume_correction',
            field=models.DecimalField(decimal_places=6, default=Decimal('1'), help_text='Of gas, for its temperature and pressure.', max_digits=8, validators=[django.core.validators.MinValueValidator(Decimal('0.000001'))]),
        ),
        migrations.AddField(
            model_name='servicepoint',
            name='calorific_value_mj_m3',
            field=models.DecimalField(blank=True, decimal_places=4, help_text='Of the gas supplied, MJ/m³: makes kWh of m³.', max_digits=8, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0.0001'))]),
        ),
        migrations.AddField(
            model_name='servicepoint',
            name='volume_correction',
            field=models.DecimalField(decimal_places=6, default=Decimal('1'), help_text='Of gas, for its temperature and pressure.', max_digits=8, validators=[django.core.validators.MinValueValidator(Decimal('0.000001'))]),
        ),
        migrations.AddConstraint(
            model_name='servicepoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('calorific_value_mj_m3__isnull', True), ('calorific_value_mj_m3__gt', 0), _connector='OR'), ('volume_correction__gt', 0)), name='service_point_gas_values_positive'),
        ),
    ]
