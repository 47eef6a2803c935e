"""Periodic tasks for which beat sends no message while no row waits for them.

A message costs beat, Redis and a worker more than asking the database whether there is work.
"""

import logging
from collections.abc import Callable, Mapping

from django.db import DatabaseError, InterfaceError

from controller.accounts.models import AuditEntry
from controller.accounts.models.table_imports import IMPORTS
from controller.base.database import renew_connections
from controller.configs.models.bulk_operations import BULK_ROWS
from controller.connections.models.commands import COMMANDS
from controller.discovery.models import SCANS
from controller.notifications.models import DELIVERIES, Notice
from controller.vpn.rules.server_sync import due_servers
from networks.gateways.rules import reconciliation
from networks.gateways.rules.change_sets import active_sets
from networks.gateways.rules.scheduling import scheduled_and_due
from supervisor_proxy.models.calls import CALLS
from supervisor_proxy.models.campaigns import CAMPAIGNS
from supervisor_proxy.rules.call_verification import unknown_calls

# Every so many periods the message is sent anyway: some tasks also clear up behind others.
ANYWAY_EVERY = 12

log = logging.getLogger(__name__)


HAS_WORK: Mapping[str, Callable[[], bool]] = {
    "controller.accounts.tasks.run_imports": IMPORTS.has_work,
    "controller.accounts.tasks.seal_audit": AuditEntry.objects.filter(number=None).exists,
    "controller.configs.tasks.run_batches": BULK_ROWS.has_work,
    "controller.connections.tasks.run_commands": COMMANDS.has_work,
    "controller.discovery.tasks.find_lost": SCANS.has_work,
    "controller.notifications.tasks.deliver": DELIVERIES.has_work,
    "controller.notifications.tasks.spread": Notice.objects.filter(is_spread=False).exists,
    "controller.vpn.tasks.tell_servers": lambda: due_servers().exists(),
    "networks.tasks.apply_due": lambda: active_sets().exists() or scheduled_and_due().exists(),
    "networks.tasks.reconcile_changes": reconciliation.has_work,
    "supervisor_proxy.tasks.run_calls": CALLS.has_work,
    "supervisor_proxy.tasks.run_campaigns": CAMPAIGNS.has_work,
    "supervisor_proxy.tasks.verify_unknown": lambda: unknown_calls().exists(),
}


def is_needed(task: str, runs: int) -> bool:
    """Return whether to send the task's message; ``runs`` is how many periods went by."""
    has_work = HAS_WORK.get(task)
    if has_work is None or runs % ANYWAY_EVERY == 0:
        return True
    try:
        renew_connections()
        return has_work()
    except (DatabaseError, InterfaceError) as error:
        log.warning("The database is away, %s is sent in any case: %s", task, error)
        return True
