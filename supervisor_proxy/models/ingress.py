"""Pages of add-ons that somebody has opened, each at an origin of its own."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from controller.accounts.models import OrganizationScoped, User
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from supervisor_proxy.models.supervisors import Supervisor


class IngressSession(OrganizationScoped, Base):
    """One add-on's page for one user, for a while."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"entry", "session"}))

    organization_path: ClassVar[str] = "supervisor__device__organization"
    is_audited = False

    supervisor = models.ForeignKey(Supervisor, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    addon = models.CharField(max_length=128)
    # The first label of its host name; no secret.
    label = models.CharField(max_length=32, unique=True)
    # Good once, for a minute; then there is the cookie.
    ticket_digest = models.CharField(max_length=64)
    cookie_digest = models.CharField(max_length=64, blank=True)
    entry = EncryptedTextField(help_text="Where the add-on's page is at Home Assistant.")
    session = EncryptedTextField(help_text="What Home Assistant lets it in with.")
    expires = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.addon} on {self.supervisor.device}"
