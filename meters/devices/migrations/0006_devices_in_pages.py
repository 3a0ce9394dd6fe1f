import django.db.models.deletion
from django.db import migrations, models

_KEYS = {
    "account": "accounts.customeraccount",
    "group": "devices.devicegroup",
    "product": "devices.product",
    "region": "meters.region",
}
_EVERY = ("product", "group", "region")


class Migration(migrations.Migration):
    """A page of a filtered list is one short scan of an index that ends in the list's order."""

    dependencies = [
        ("accounts", "0002_user_login_epoch"),
        ("devices", "0005_states_leave_room"),
        ("meters", "0016_regions_and_alarms"),
    ]

    operations = [
        *(
            migrations.AlterField(
                model_name="device",
                name=name,
                field=models.ForeignKey(
                    blank=True,
                    db_index=False,
                    null=True,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="devices",
                    to=target,
                ),
            )
            for name, target in _KEYS.items()
        ),
        *(
            migrations.AddIndex(
                model_name="device", index=models.Index(fields=[name, "id"], name=f"device_by_{name}")
            )
            for name in _EVERY
        ),
        migrations.AddIndex(
            model_name="device",
            index=models.Index(
                condition=models.Q(("account", None), _negated=True),
                fields=["account", "id"],
                name="device_by_account",
            ),
        ),
        migrations.AddIndex(
            model_name="device",
            index=models.Index(condition=models.Q(("status", "retired")), fields=["id"], name="device_retired"),
        ),
    ]
