"""Policies of networks: validate, test, store, and the reachability matrix."""

from typing import Any

from django.db import transaction

from controller.accounts.models import User
from controller.base.errors import Refused
from networks.overlay.engine import policies
from networks.overlay.models import Network
from networks.overlay.rules import direct_path_status, direct_paths
from networks.overlay.rules.networks import check
from networks.overlay.rules.plans import as_policy_member, mark_outdated

# Bounds the matrix, which grows quadratically with the members.
MOST_IN_MATRIX = 100


@transaction.atomic
def set_policy(network: Network, *, by: User, policy: Any, tests: Any = None) -> Network:
    """Store a policy and its tests.

    Raises Refused if either is invalid or a test fails.
    """
    check(by, network, "change_policy")
    tests = network.policy_tests if tests is None else tests
    try:
        parsed = policies.parse(policy)
    except policies.BadPolicy as error:
        raise Refused({"policy": [str(error)]}) from error
    try:
        sentences = list(
            policies.failures(parsed, policies.parse_tests(tests), members_of(network))
        )
    except policies.BadPolicy as error:
        raise Refused({"tests": [str(error)]}) from error
    if sentences:
        raise Refused({"tests": sentences})
    network.policy, network.policy_tests = policy, tests
    network.save(update_fields=["policy", "policy_tests"])
    direct_paths.forget_forbidden([network.pk])
    mark_outdated([network.pk])
    return network


def members_of(network: Network) -> list[policies.Member]:
    return [as_policy_member(row) for row in _active(network)]


def _active(network: Network) -> Any:
    return network.members.active().select_related("node").order_by("node__name")


def matrix(network: Network, *, policy: Any = None) -> dict[str, Any]:
    """Return the reachability matrix of the stored policy or of a proposed one."""
    rows = list(_active(network)[:MOST_IN_MATRIX])
    members = [as_policy_member(row) for row in rows]
    try:
        parsed = policies.parse(network.policy if policy is None else policy)
    except policies.BadPolicy as error:
        raise Refused({"policy": [str(error)]}) from error
    ids = [row.node_id for row in rows]
    ways = direct_path_status.ways_between(ids)
    return {
        "members": [one.name for one in members],
        "rows": policies.matrix(parsed, members),
        "ways": [[ways.get((source, target), "") for target in ids] for source in ids],
    }
