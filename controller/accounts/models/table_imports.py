"""Imports of tables: uploaded, previewed and written by a worker."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from controller.accounts.models.users import User
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base


class TableImport(Leased, Base):
    """One uploaded table, and how far the worker has come with it."""

    class State(models.TextChoices):
        READING = "reading", _("Being read")
        READY = "ready", _("Previewed")
        WRITING = "writing", _("Being imported")
        DONE = "done", _("Imported")
        REFUSED = "refused", _("Refused")

    user = models.ForeignKey(User, models.CASCADE, related_name="+", editable=False)
    target = models.CharField(
        _("list"), max_length=100, help_text=_("App and model, such as devices.device.")
    )
    name = models.CharField(_("file"), max_length=150)
    data = models.BinaryField(
        help_text=_("Contents of the file. Empty once the import has ended.")
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.READING)
    total = models.PositiveIntegerField(_("rows"), default=0)
    done = models.PositiveIntegerField(default=0)
    found = models.JSONField(
        default=dict,
        help_text=_("Columns, numbers by outcome, and the first rows and refusals."),
    )
    problem = models.TextField(blank=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created"]
        indexes = [lease_index("table_import_leased")]

    def __str__(self) -> str:
        return self.name


IMPORTS = LeaseQueue(
    "imports", TableImport,
    waits=Q(state__in=[TableImport.State.READING, TableImport.State.WRITING]),
)  # fmt: skip
