"""Confirmation of dangerous supervisor calls, where the settings require it."""

from django.conf import settings
from django.utils.translation import gettext

from controller.base.errors import Refused
from supervisor_proxy.engine.routes import CallRequest


def check_confirmed(wanted: CallRequest, *, name: str, confirmation: str | None) -> None:
    """Raise Refused if a dangerous call must be confirmed with this name, and is not."""
    serious = wanted.route.dangerous or wanted.forces
    if not (settings.MUSTER_SUPERVISOR_CONFIRM and serious):
        return
    if confirmation != name:
        raise Refused(
            gettext("Here, %(path)s is made only with the header X-Confirm: %(name)s.")
            % {"path": wanted.path, "name": name},
            code="confirm",
        )
