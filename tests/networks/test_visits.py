"""A gateway that does not answer costs those who ask one wait, and nobody else any."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.base import single_flight as single_flight_module
from controller.base.errors import Refused, TimedOut
from controller.base.single_flight import single_flight
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Gateway
from networks.gateways.rules import gateways
from networks.gateways.rules.visits import read_live
from tests import factories

pytestmark = pytest.mark.django_db
FEATURE = "opnsense.vpn.wireguard"


class Silent:
    """Accepts connections, and says nothing."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                self.connections.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self.socket.close()
        for one in self.connections:
            one.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


@pytest.fixture
def gateway(organization: Organization, silent: Silent, settings: Any) -> Gateway:
    settings.MUSTER_GATEWAY_SECONDS, settings.MUSTER_LOCAL_GATEWAYS = 3, True
    return factories.gateway(organization, f"http://127.0.0.1:{silent.port}")


def refusal(gateway: Gateway) -> tuple[Refused, float]:
    began = time.monotonic()
    with pytest.raises(Refused) as told:
        read_live(gateway, FEATURES[FEATURE], most=5)
    return told.value, time.monotonic() - began


def test_who_asks_after_the_first_is_told_at_once_and_when_it_is_tried_again(
    gateway: Gateway, silent: Silent
) -> None:
    first, waited = refusal(gateway)
    assert isinstance(first, TimedOut)
    assert waited > 2
    asked = len(silent.connections)
    for _ in range(3):
        again, _ = refusal(gateway)
        assert isinstance(again, TimedOut)
        assert "It is asked again from" in str(again)
    assert len(silent.connections) == asked


def test_what_the_poll_found_is_known_to_those_who_ask(
    gateway: Gateway, silent: Silent, settings: Any
) -> None:
    settings.MUSTER_GATEWAY_POLL_SECONDS = 60
    gateways.poll()
    asked = len(silent.connections)
    told, _ = refusal(gateway)
    assert "It is asked again from" in str(told)
    assert len(silent.connections) == asked
    # Whoever changes the gateway gets another chance.
    gateways.update_gateway(gateway, name="moved")
    assert "It is asked again from" not in str(refusal(gateway)[0])


def test_a_check_asks_in_any_case(gateway: Gateway, silent: Silent, api: Any) -> None:
    refusal(gateway)
    asked = len(silent.connections)
    with pytest.raises(Refused):
        gateways.look(gateway)
    assert len(silent.connections) > asked


def test_a_change_is_staged_though_its_gateway_is_silent(
    gateway: Gateway, silent: Silent, api: Any, admin: User
) -> None:
    refusal(gateway)
    asked = len(silent.connections)
    answer = api(admin).post(
        f"/api/v1/gateway-vpn/{gateway.pk}/changes/{FEATURE}.server/?operation=delete",
        {"target_id": "x"}, format="json",
    )  # fmt: skip
    assert answer.status_code < 500
    assert len(silent.connections) == asked


def test_all_who_ask_while_a_read_is_under_way_share_it() -> None:
    begun, go, calls = threading.Event(), threading.Event(), []
    found: list[Any] = []

    def read() -> str:
        calls.append(1)
        begun.set()
        assert go.wait(20)
        return "the answer"

    def ask() -> None:
        found.append(single_flight("one", read))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    threads[0].start()
    assert begun.wait(20)
    for one in threads[1:]:
        one.start()
    patience = time.monotonic() + 20
    while len(joined("one")) < len(threads) - 1:
        assert time.monotonic() < patience
        threading.Event().wait(0.01)
    go.set()
    for one in threads:
        one.join(20)
    assert (found, calls) == (["the answer"] * 6, [1])
    assert single_flight("one", lambda: "another") == "another"


def joined(key: str) -> Any:
    """Return who waits for the read that is under way."""
    return single_flight_module._running[key]._condition._waiters


def test_a_failure_is_shared_and_forgotten() -> None:
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        single_flight("two", fails)
    assert single_flight("two", lambda: 1) == 1
