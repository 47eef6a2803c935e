"""Re-encrypt every stored secret with the first of MUSTER_ENCRYPTION_KEYS."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import transaction

from controller.base.secrets import EncryptedBytesField, EncryptedTextField

BATCH = 500


class Command(BaseCommand):
    help = "Encrypts every stored secret again with the first of MUSTER_ENCRYPTION_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        for model in apps.get_models():
            secret = [
                field.name
                for field in model._meta.concrete_fields
                if isinstance(field, EncryptedBytesField | EncryptedTextField)
            ]
            if secret:
                count = rotate(model, secret)
                self.stdout.write(f"{model._meta.verbose_name_plural}: {count}")


def rotate(model: Any, fields: list[str]) -> int:
    """Re-encrypt these fields of every row, in batches. Returns the number of rows."""
    count, last = 0, None
    while True:
        with transaction.atomic():
            later = model._base_manager.order_by("pk").only(*fields).select_for_update()
            rows = list((later if last is None else later.filter(pk__gt=last))[:BATCH])
            if not rows:
                return count
            model._base_manager.bulk_update(rows, fields)
        count, last = count + len(rows), rows[-1].pk
