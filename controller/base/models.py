"""Abstract models shared by all apps."""

import uuid
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from controller.base import deploy_checks as deploy_checks  # noqa: PLC0414 - registers its checks
from controller.base.errors import Refused
from controller.base.secret_fields import keep_masked


class Dated(models.Model):
    created = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    modified = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.modified = timezone.now()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "modified"}
        super().save(*args, **kwargs)

    def checked(self, *, leave_out: set[str] | None = None) -> Self:
        """Validate fields and constraints and return the row; raise :class:`Refused`."""
        keep_masked(self)
        try:
            self.full_clean(exclude=leave_out)
        except ValidationError as error:
            raise Refused(error.message_dict) from error
        return self


class Base(Dated):
    """Dated row with a random UUID as primary key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True
