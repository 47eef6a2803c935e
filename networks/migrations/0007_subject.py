from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("networks", "0006_applying")]

    operations = [
        migrations.AddField(
            "change", "subject", models.CharField(blank=True, db_index=True, max_length=64)
        ),
    ]
