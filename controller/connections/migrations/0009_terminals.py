"""Terminals belong to connections. Their tables keep their names and rows."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import controller.accounts.models.audit
import controller.base.secrets

MODELS = ("terminal", "terminalpart")


def move(apps, old, new):
    """Let content types, and with them the admin's log, follow the models."""
    types = apps.get_model("contenttypes", "ContentType").objects
    for name in MODELS:
        if not types.filter(app_label=new, model=name).exists():
            types.filter(app_label=old, model=name).update(app_label=new)


def forward(apps, schema_editor):
    move(apps, "supervisor_proxy", "connections")


def backward(apps, schema_editor):
    move(apps, "connections", "supervisor_proxy")


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0008_plain_names"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("devices", "0003_enrollment"),
        ("supervisor_proxy", "0010_plain_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    state_operations = [
        migrations.CreateModel(
            name="Terminal",
            fields=[
                (
                    "created",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, editable=False
                    ),
                ),
                (
                    "modified",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("actor", models.CharField(blank=True, max_length=150)),
                ("address", models.GenericIPAddressField(null=True)),
                (
                    "reason",
                    models.CharField(
                        blank=True, help_text="What it is opened for.", max_length=200
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("offered", "not opened"),
                            ("open", "open"),
                            ("closed", "closed"),
                        ],
                        default="offered",
                        max_length=8,
                    ),
                ),
                ("ticket_digest", models.CharField(max_length=64, null=True, unique=True)),
                ("ticket_expires", models.DateTimeField(null=True)),
                ("columns", models.PositiveSmallIntegerField(default=80)),
                ("rows", models.PositiveSmallIntegerField(default=24)),
                ("opened", models.DateTimeField(null=True)),
                ("closed", models.DateTimeField(null=True)),
                ("closed_because", models.CharField(blank=True, max_length=200)),
                ("last_seen", models.DateTimeField(null=True)),
                ("is_to_close", models.BooleanField(default=False)),
                (
                    "connection",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="connections.deviceconnection",
                    ),
                ),
                (
                    "device",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="terminals",
                        to="devices.device",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "supervisor_proxy_terminal",
                "ordering": ["-created"],
            },
            bases=(controller.accounts.models.audit.Audited, models.Model),
        ),
        migrations.CreateModel(
            name="TerminalPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("events", controller.base.secrets.EncryptedBytesField()),
                (
                    "terminal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="connections.terminal",
                    ),
                ),
            ],
            options={
                "db_table": "supervisor_proxy_terminalpart",
                "ordering": ["number"],
            },
            bases=(controller.accounts.models.audit.Audited, models.Model),
        ),
        migrations.AddIndex(
            model_name="terminal",
            index=models.Index(
                fields=["device", "-created"], name="supervisor__device__a5c92d_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="terminal",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["user"], name="terminals_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="terminalpart",
            constraint=models.UniqueConstraint(
                fields=("terminal", "number"), name="terminal_part_once"
            ),
        ),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=state_operations),
        migrations.RunPython(forward, backward),
    ]
