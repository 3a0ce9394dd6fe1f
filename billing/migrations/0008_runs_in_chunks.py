import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_versions_without_a_rate")]

    operations = [
        migrations.AddField(
            model_name="billrun",
            name="issues",
            field=models.BooleanField(
                default=True, help_text="Otherwise it is a preview: it makes drafts, and issues none."
            ),
        ),
        migrations.AlterField(
            model_name="billrun",
            name="cursor",
            field=models.CharField(
                blank=True, help_text="Number of the last account that was dealt out.", max_length=40
            ),
        ),
        migrations.CreateModel(
            name="BillRunChunk",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("after", models.CharField(blank=True, max_length=40)),
                ("upto", models.CharField(max_length=40)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="billing.billrun",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "indexes": [models.Index(fields=["run", "id"], name="bill_run_chunk_in_order")],
            },
        ),
    ]
