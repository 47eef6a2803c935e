"""WebSockets of upgrades."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from controller.dialects.consumers import NOT_PERMITTED
from controller.firmware.models import Upgrade
from controller.firmware.rules import rollouts
from controller.firmware.rules.upgrades import cancel
from tests import factories
from tests.firmware import fleet
from tests.sockets import Listener, played

pytestmark = pytest.mark.django_db(transaction=True)
WS = "/ws/firmware-upgrader"


def bearer(user: User) -> dict[str, str]:
    return {"authorization": f"Bearer {issue_token(user, name='tests')}"}


async def opened(path: str, user: dict[str, str]) -> tuple[Listener, Any]:
    """Return a listener, and what it was told when it asked for the state."""
    listener = Listener(path, **user)
    assert await listener.connect() == 0
    await listener.says({"type": "something else"})
    await listener.says({"type": "request_current_state"})
    return listener, await listener.hears()


async def is_refused(path: str, user: dict[str, str]) -> bool:
    stranger = Listener(path, **user)
    return await stranger.connect() == 0 and await stranger.closes() == NOT_PERMITTED


def test_sockets_tell_the_state_and_each_change_to_who_may_see_it(
    organization: Organization,
) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    device = fleet.device(organization, name="roof")
    rollout = rollouts.start(rollouts.create_rollout(build, upgrade_all=True))
    row = Upgrade.objects.get()
    mine = bearer(factories.user(organization, "viewer"))
    foreign = bearer(factories.user(factories.organization(), "admin"))
    single = [f"{WS}/upgrade-operation/{row.pk}/", f"{WS}/device/{device.pk}/"]
    batch = f"{WS}/batch-upgrade-operation/{rollout.pk}/"

    async def scene() -> None:
        listeners = []
        for path in single:
            assert await is_refused(path, foreign)
            listener, told = await opened(path, mine)
            listeners.append(listener)
            assert set(told) == {"type", "operation", "timestamp"}
            assert told["operation"]["status"] == "in-progress"
        assert await is_refused(batch, foreign)
        of_batch, told = await opened(batch, mine)
        assert set(told) == {"type", "batch_status", "operations"}
        assert told["batch_status"] == {"status": "in-progress", "completed": 0, "total": 1}
        await sync_to_async(cancel)(row)
        for listener in listeners:
            told = await listener.hears()
            assert (told["type"], told["operation"]["status"]) == (
                "operation_update",
                "cancelled",
            )
            await listener.leaves()
        await hears_of_the_batch(of_batch)

    played(scene)


async def hears_of_the_batch(listener: Listener) -> None:
    told = await listener.hears()
    assert set(told) == {
        "type", "operation_id", "status", "progress", "modified", "device_id",
        "device_name", "image_name", "timestamp",
    }  # fmt: skip
    assert (told["device_name"], told["status"]) == ("roof", "cancelled")
    status = await listener.hears()
    assert set(status) == {"type", "status", "completed", "total", "timestamp"}
    assert (status["type"], status["completed"]) == ("batch_status", 1)
    await listener.leaves()
