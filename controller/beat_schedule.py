"""Celery Beat schedule and queues of the periodic tasks."""

from typing import Any

from celery.schedules import schedule
from kombu import Queue

HOUR = 3600
SHORTEST_EXPIRY = 30
# One queue per kind of work, so that no kind can starve another.
QUEUES = [
    Queue(name)
    for name in ("default", "push", "poll", "render", "command", "proxy", "scan", "firmware")
]
ROUTES = {
    "controller.configs.tasks.deliver": {"queue": "push"},
    "controller.configs.tasks.render_stale": {"queue": "render"},
    "controller.configs.tasks.follow_overlay": {"queue": "render"},
    "controller.configs.tasks.run_batches": {"queue": "render"},
    "controller.accounts.tasks.run_imports": {"queue": "render"},
    "controller.connections.tasks.run_commands": {"queue": "command"},
    "controller.connections.tasks.*": {"queue": "poll"},
    "networks.tasks.apply_change": {"queue": "push"},
    "networks.tasks.advance_set": {"queue": "push"},
    "networks.tasks.back_up_gateways": {"queue": "proxy"},
    "supervisor_proxy.tasks.*": {"queue": "proxy"},
    "controller.firmware.tasks.run_upgrades": {"queue": "firmware"},
    "controller.discovery.tasks.*": {"queue": "scan"},
}


def timetable(*, poll: int, reconcile: int) -> dict[str, Any]:
    """Return Celery's beat schedule. Messages that no worker takes expire after one period.

    Never sooner than ``SHORTEST_EXPIRY``: where workers are late by more than a period, each
    message would expire before its turn, and what is due every few seconds would never be done.
    """
    lines = {
        "sign revocation lists": ("pki.tasks.publish_lists", HOUR, "default"),
        "ask names again": ("pki.tasks.validate_lost", 60, "default"),
        "renew certificates": ("pki.tasks.renew_expiring", HOUR, "default"),
        "poll devices": ("controller.connections.tasks.sweep", poll, "poll"),
        "tell people what happened": (
            "controller.notifications.tasks.spread", reconcile, "default",
        ),
        "send e-mails": ("controller.notifications.tasks.mail", 60, "default"),
        "call webhooks": ("controller.notifications.tasks.deliver", reconcile, "default"),
        "forget old notifications": ("controller.notifications.tasks.forget", HOUR, "default"),
        "tell what ends soon": ("pki.tasks.tell_expiring", HOUR, "default"),
        "tell that the worker works": ("controller.accounts.tasks.beat", 5, "default"),
        "log where the audit ends": (
            "controller.accounts.tasks.log_audit_heads", HOUR, "default",
        ),
        "seal the audit": ("controller.accounts.tasks.seal_audit", 3, "default"),
        "reconcile configurations": ("controller.configs.tasks.reconcile", reconcile, "default"),
        "look who is in the overlay": ("networks.tasks.look", 60, "poll"),
        "advance direct ways of the overlay": ("networks.tasks.advance_ways", 5, "default"),
        "reconcile changes of gateways": (
            "networks.tasks.reconcile_changes", reconcile, "poll",
        ),
        "apply changes of gateways that no message told of": (
            "networks.tasks.apply_due", reconcile, "push",
        ),
        "give up changes that nobody applied": ("networks.tasks.expire_changes", 60, "default"),
        "go on with lost scans": ("controller.discovery.tasks.find_lost", reconcile, "scan"),
        "poll gateways": ("networks.tasks.poll_gateways", 30, "poll"),
        "back up gateways": ("networks.tasks.back_up_gateways", 60, "proxy"),
        "delete old backups of gateways": (
            "networks.tasks.prune_gateway_backups", HOUR, "default",
        ),
        "judge devices": ("controller.monitoring.tasks.judge", 30, "default"),
        "add up organizations": ("controller.monitoring.tasks.add_up", 300, "default"),
        "find uplinks": ("controller.monitoring.tasks.find_uplinks", HOUR, "default"),
        "ping devices": ("controller.monitoring.tasks.ping", 15, "poll"),
        "measure devices over SSH": ("controller.monitoring.tasks.pull", 15, "poll"),
        "run checks of devices": ("controller.monitoring.tasks.run_checks", 15, "poll"),
        "test bandwidth": ("controller.monitoring.tasks.test_bandwidth", 30, "command"),
        "measure gateways": ("controller.monitoring.tasks.pull_gateways", 30, "poll"),
        "end sessions of silent access points": (
            "controller.monitoring.tasks.close_sessions", 300, "default",
        ),
        "seal samples into blocks": ("controller.monitoring.tasks.seal", 60, "default"),
        "forget old measurements": ("controller.monitoring.tasks.forget", HOUR, "default"),
        "reconcile upgrades": ("controller.firmware.tasks.reconcile", reconcile, "default"),
        "read firmware": ("controller.firmware.tasks.read_systems", 60, "poll"),
        "go on with custom images": (
            "controller.firmware.tasks.advance_image_requests", 15, "poll",
        ),
        "forget old firmware": ("controller.firmware.tasks.forget", HOUR, "default"),
        "tell VPN servers": ("controller.vpn.tasks.tell_servers", reconcile, "default"),
        "check for drift": ("controller.configs.tasks.check_drift", 60, "poll"),
        "forget old configurations": ("controller.configs.tasks.forget", HOUR, "default"),
        "change many devices that no message told of": (
            "controller.configs.tasks.run_batches", reconcile, "render",
        ),
        "import tables that no message told of": (
            "controller.accounts.tasks.run_imports", reconcile, "render",
        ),
        "run commands that no message told of": (
            "controller.connections.tasks.run_commands", reconcile, "command",
        ),
        "make calls of supervisors that no message told of": (
            "supervisor_proxy.tasks.run_calls", reconcile, "proxy",
        ),
        "verify unknown calls": (
            "supervisor_proxy.tasks.verify_unknown", reconcile, "proxy",
        ),
        "update Home Assistant in waves": (
            "supervisor_proxy.tasks.run_campaigns", reconcile, "proxy",
        ),
        "look at Home Assistant devices": (
            "supervisor_proxy.tasks.look_at_homes", 60, "proxy",
        ),
        "back up Home Assistant devices": ("supervisor_proxy.tasks.run_backups", 60, "proxy"),
        "forget old calls of supervisors": ("supervisor_proxy.tasks.forget", HOUR, "proxy"),
        "prune tables": ("controller.retention.prune", HOUR, "default"),
        "close dead terminals": ("supervisor_proxy.tasks.close_terminals", 60, "proxy"),
        "write last seen": ("controller.devices.tasks.flush_last_seen", 3, "default"),
    }  # fmt: skip
    return {
        name: {
            "task": task,
            "schedule": schedule(seconds),
            "options": {"queue": queue, "expires": max(seconds, SHORTEST_EXPIRY)},
        }
        for name, (task, seconds, queue) in lines.items()
    }
