from typing import Any

from django.db import migrations, models


def restore_spatial_index(_apps: Any, schema_editor: Any) -> None:
    """Create the spatial index again: SQLite adds the column to a copy of the table, without it."""
    if schema_editor.connection.vendor == "sqlite":
        # The index of the table before the copy is still there, and nothing uses it.
        schema_editor.execute("DROP TABLE IF EXISTS idx_geo_location_geometry")
        schema_editor.execute("SELECT CreateSpatialIndex('geo_location', 'geometry')")


class Migration(migrations.Migration):
    dependencies = [
        ("geo", "0001_start"),
    ]

    operations = [
        migrations.AddField(
            model_name="location",
            name="is_estimated",
            field=models.BooleanField(
                default=False,
                help_text="A program put it where the address of its device seems to be.",
                verbose_name="estimated",
            ),
        ),
        migrations.RunPython(restore_spatial_index, migrations.RunPython.noop),
    ]
