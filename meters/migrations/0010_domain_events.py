import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0009_register_days")]

    operations = [
        migrations.CreateModel(
            name='DomainEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('reading_superseded', 'Reading Superseded'), ('reading_approved', 'Reading Approved'), ('gap_opened', 'Gap Opened'), ('gap_closed', 'Gap Closed'), ('estimation_prolonged', 'Estimation Prolonged'), ('chain_changed', 'Chain Changed')], max_length=25)),
                ('start', models.DateTimeField(help_text='Of the stretch whose energy it touches.', null=True)),
                ('end', models.DateTimeField(null=True)),
                ('data', models.JSONField(default=dict)),
                ('recorded_at', models.DateTimeField()),
            ],
            options={
                'ordering': ('id',),
            },
        ),
        migrations.CreateModel(
            name='EventDelivery',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('consumer', models.CharField(max_length=40)),
                ('handled_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('error', models.TextField(blank=True)),
            ],
            options={
                'ordering': ('event',),
            },
        ),
        migrations.AddField(
            model_name='domainevent',
            name='register',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='meters.register'),
        ),
        migrations.AddField(
            model_name='domainevent',
            name='service_point',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='meters.servicepoint'),
        ),
        migrations.AddField(
            model_name='eventdelivery',
            name='event',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='meters.domainevent'),
        ),
        migrations.AddIndex(
            model_name='eventdelivery',
            index=models.Index(condition=models.Q(('handled_at', None)), fields=['consumer', 'event'], name='event_delivery_waiting'),
        ),
        migrations.AddConstraint(
            model_name='eventdelivery',
            constraint=models.UniqueConstraint(fields=('event', 'consumer'), name='event_delivery_once_a_consumer'),
        ),
    ]
