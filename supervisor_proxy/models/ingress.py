"""Sessions of opened add-on pages, each at its own origin."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, User
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from supervisor_proxy.models.supervisors import Supervisor


class IngressSession(OrganizationScoped, Base):
    """Temporary session of one user on one add-on's page."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"entry", "session"}))

    organization_path: ClassVar[str] = "supervisor__device__organization"
    is_audited = False

    supervisor = models.ForeignKey(Supervisor, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    addon = models.CharField(max_length=128)
    # First label of the host name; not secret.
    label = models.CharField(max_length=32, unique=True)
    # Valid once and for a minute; then the cookie replaces it.
    ticket_digest = models.CharField(max_length=64)
    cookie_digest = models.CharField(max_length=64, blank=True)
    entry = EncryptedTextField(help_text=_("Path of the add-on's page in Home Assistant."))
    session = EncryptedTextField(help_text=_("Session of Home Assistant."))
    expires = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.addon} on {self.supervisor.device}"
