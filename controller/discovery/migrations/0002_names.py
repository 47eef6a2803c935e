from django.db import migrations, models

import controller.base.secrets


class Migration(migrations.Migration):
    dependencies = [("discovery", "0001_start")]

    operations = [
        migrations.AddField(
            "scan",
            "community",
            controller.base.secrets.EncryptedTextField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            "finding",
            "manufacturer",
            models.CharField(blank=True, default="", max_length=128),
            preserve_default=False,
        ),
    ]
