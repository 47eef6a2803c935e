"""WebSockets of locations, against the contract of OpenWISP."""

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.gis.geos import Point

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from controller.dialects.consumers import NOT_PERMITTED
from geo.rules.locations import update_location
from tests import factories
from tests.sockets import Listener, played

pytestmark = pytest.mark.django_db(transaction=True)
FILE = Path(__file__).parents[1] / "contract" / "monitoring.json"
KEYS = {
    one["path"]: set(one["response_fields"])
    for one in json.loads(FILE.read_text())
    if one["method"] == "WEBSOCKET"
}
ALL, ONE = KEYS


def bearer(user: User) -> dict[str, str]:
    return {"authorization": f"Bearer {issue_token(user, name='tests')}"}


async def opened(path: str, who: dict[str, str]) -> Listener:
    listener = Listener(path, **who)
    assert await listener.connect() == 0
    # Anything else is ignored. Who is answered hears what comes from now on.
    await listener.says({"type": "anything"})
    await listener.says({"type": "ping"})
    assert await listener.hears() == {"type": "pong"}
    return listener


def test_who_may_see_a_location_hears_where_it_moves(organization: Organization) -> None:
    van = factories.location(organization, name="van")
    other = factories.location(organization, name="office")
    mine = bearer(factories.user(organization, "viewer"))
    foreign = bearer(factories.user(factories.organization(), "org_admin"))
    one = ONE.replace("{pk}", str(van.pk))

    async def scene() -> None:
        stranger = Listener(one, **foreign)
        assert await stranger.connect() == 0
        assert await stranger.closes() == NOT_PERMITTED
        everything, single = await opened(ALL, mine), await opened(one, mine)
        deaf = await opened(ALL, foreign)
        move = sync_to_async(update_location)
        await move(other, geometry=Point(2.0, 41.0, srid=4326))
        await move(van, geometry=Point(1.5, 42.5, srid=4326), address="Rua Nova 1")
        told: Any = [await everything.hears() for _ in range(2)]
        assert [row["name"] for row in told] == ["office", "van"]
        assert set(told[1]) == KEYS[ALL]
        assert told[1]["geometry"] == {"type": "Point", "coordinates": [1.5, 42.5]}
        found = await single.hears()
        assert set(found) == KEYS[ONE]
        assert found["address"] == "Rua Nova 1"
        assert await single.is_quiet()
        assert await deaf.is_quiet()
        for listener in (everything, single, deaf):
            await listener.leaves()

    played(scene)
