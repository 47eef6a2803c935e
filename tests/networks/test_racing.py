from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from networks.ipam import rules
from networks.ipam.models import IpAddress, Subnet
from tests import factories


@pytest.mark.django_db(transaction=True)
def test_nobody_gets_an_address_twice_however_many_ask_at_once() -> None:
    subnet = factories.subnet(factories.organization(), "10.0.0.0/24")

    def take(_: int) -> Any:
        try:
            return rules.allocate(Subnet.objects.get(pk=subnet.pk), 3)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        found = [str(row) for rows in pool.map(take, range(20)) for row in rows]
    assert len(set(found)) == 60
    assert IpAddress.objects.count() == 60
