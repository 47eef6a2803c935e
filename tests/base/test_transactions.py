"""Connections to other machines inside a transaction."""

import pytest
from django.db import transaction

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, tcp
from controller.base.outbound.transactions import blocking
from tests.fleet.ports import closed_ports

pytestmark = pytest.mark.django_db


async def nothing() -> None: ...


def test_what_connects_inside_a_transaction_is_reported(
    asked_inside_transactions: list[str],
) -> None:
    with closed_ports(1) as (port,):
        with pytest.raises(Unreachable):
            tcp.connect(Kind.DEVICE, "127.0.0.1", port, seconds=5)
        blocking(nothing)()
        assert not asked_inside_transactions
        with transaction.atomic(), pytest.raises(Unreachable):
            tcp.connect(Kind.DEVICE, "127.0.0.1", port, seconds=5)
        assert "127.0.0.1 is asked" in asked_inside_transactions.pop()
        with transaction.atomic():
            blocking(nothing)()
        assert "nothing is asked" in asked_inside_transactions.pop()
