from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("field_ops", "0005_decisions_are_kept")]

    operations = [
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(fields=["-received_at", "-id"], name="submission_newest"),
        ),
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(fields=["submitted_at", "id"], name="approval_by_time"),
        ),
    ]
