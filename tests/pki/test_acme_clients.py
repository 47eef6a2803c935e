"""The ACME server against the clients of npm and PyPI, as they are."""

from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization
from pki.models import Cert, Issued
from tests import clients, factories
from tests.fleet.ports import free_port
from tests.pki.oracle import openssl, written
from tests.pki.test_acme import run_and_validate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("program", "reason"),
    [("acme_client.cjs", "superseded"), ("acme_library.py", "keyCompromise")],
)
def test_a_client_gets_a_certificate_and_revokes_it(
    live_server: Any,
    organization: Organization,
    settings: Any,
    tmp_path: Path,
    program: str,
    reason: str,
) -> None:
    ca = factories.ca(organization, enrollment="open")
    settings.PKI_HTTP01_PORT = port = free_port()
    start: list[Any] = (
        [clients.node(), HERE / program, clients.folder()]
        if program.endswith(".cjs")
        else [clients.python("acme"), HERE / program]
    )
    directory = f"{live_server.url}/pki/acme/{ca.pk}/directory"
    chain = run_and_validate([*start, directory, port], tmp_path / "output")
    anchors = written(tmp_path, "ca.pem", ca.certificate)
    leaf = written(tmp_path, "leaf.pem", chain)
    verify = ("verify", "-CAfile", anchors, "-verify_hostname", "localhost")
    assert "OK" in openssl(*verify, leaf)
    assert Cert.objects.get().revocation_reason == reason
    assert Issued.objects.filter(revoked_at__isnull=False).count() == 1
