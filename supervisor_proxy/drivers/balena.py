"""Driver for balena supervisors. How the key is sent depends on the version."""

from supervisor_proxy.drivers.contract import Order, Target
from supervisor_proxy.drivers.http import exchange
from supervisor_proxy.engine.answers import Reply
from supervisor_proxy.engine.versions import older

HEADER_SINCE = (1, 14, 0)
BEARER_SINCE = (11, 3, 0)


class Balena:
    """The supervisor's HTTP API on port 48484."""

    async def call(self, target: Target, order: Order) -> Reply:
        headers, query = credentials(target)
        return await exchange(target, order, headers=headers, query={**order.query, **query})


def credentials(target: Target) -> tuple[dict[str, str], dict[str, str]]:
    """Return headers and query parameters with the key.

    Only an old or unknown version gets the key in the URL, which intermediaries may log.
    """
    if not target.key:
        return {}, {}
    if older(target.version, HEADER_SINCE, unknown=True):
        return {}, {"apikey": target.key}
    word = "ApiKey" if older(target.version, BEARER_SINCE, unknown=False) else "Bearer"
    return {"Authorization": f"{word} {target.key}"}, {}
