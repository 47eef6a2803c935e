"""Calls to a supervisor about one backup, on behalf of the plan's user."""

from typing import Any

from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Refused
from supervisor_proxy.models import StoredBackup
from supervisor_proxy.rules.backups import HASSIO
from supervisor_proxy.rules.call_requests import CallJob, match_route, start


def backup_call(row: StoredBackup, method: str, path: str, body: Any = None) -> CallJob:
    wanted = match_route(HASSIO, method=method, path=path, data=body)
    return start(user_of_plan(row), row.supervisor, wanted)


def user_of_plan(row: StoredBackup) -> User:
    if row.plan is None or row.plan.user is None:
        raise Refused(gettext("The user who created the plan was deleted."))
    return row.plan.user
