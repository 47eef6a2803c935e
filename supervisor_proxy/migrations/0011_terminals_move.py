"""Terminals belong to connections. Their tables keep their names and rows."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0009_terminals"),
        ("supervisor_proxy", "0010_plain_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(name="TerminalPart"),
                migrations.DeleteModel(name="Terminal"),
            ]
        ),
    ]
