import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("networks", "0007_subject")]

    operations = [
        migrations.CreateModel(
            "GatewayStatus",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("online", "Online"), ("trouble", "Trouble")], max_length=8
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=255)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statuses",
                        to="networks.gateway",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "gateway statuses",
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["gateway", "-at"], name="gateway_statuses")],
            },
        ),
    ]
