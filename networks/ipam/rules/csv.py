"""CSV import and export: name, network and organization, then one address per row."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.base.tables import as_text, delimiter_of, from_text
from networks.ipam.engine import addresses
from networks.ipam.models import IpAddress, Subnet
from networks.ipam.rules.addresses import create_subnet

HEADER = ("ip_address", "description")
MOST_ROWS = 100_000


def as_csv(subnet: Subnet) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    owner = subnet.organization.slug if subnet.organization else ""
    writer.writerows([[subnet.name], [subnet.subnet], [owner], [], HEADER])
    writer.writerows(
        (address, as_text(description))
        for address, description in subnet.addresses.values_list("ip_address", "description")
    )
    return out.getvalue()


def _rows(text: str) -> list[list[str]]:
    lines = io.StringIO(text.replace("\x00", ""))
    rows = list(islice(csv.reader(lines, delimiter=_delimiter_in(text)), MOST_ROWS + 6))
    if len(rows) > MOST_ROWS + 5:
        raise Refused(
            gettext("More than %(most_rows)s addresses: split the file.")
            % {"most_rows": MOST_ROWS}
        )
    return rows


def _delimiter_in(text: str) -> str:
    """Return what separates the columns, by the line that names them."""
    header = next((line for line in text.splitlines()[3:] if line.strip()), "")
    return delimiter_of(header)


def owner_in(text: str) -> Organization | None:
    """Return the organization named in the file; None (shared) if its line is empty."""
    rows = _rows(text)
    if len(rows) < 3:  # noqa: PLR2004 - the three that stand above the addresses
        raise Refused(gettext("Invalid data format"))
    slug = _first(rows[2])
    if not slug:
        return None
    owner = Organization.objects.filter(slug=slug).first()
    if owner is None:
        raise Refused(
            gettext("The import of subnet failed because the organization does not exist.")
        )
    return owner


def _first(row: list[str]) -> str:
    return row[0].strip() if row else ""


def import_csv(text: str) -> int:
    """Import addresses; create the subnet if needed. Returns the number of new ones.

    Everything is read and checked before the transaction begins.
    """
    owner = owner_in(text)
    rows = _rows(text)
    try:
        net = addresses.network(_first(rows[1]))
    except ValueError as error:
        raise Refused(
            gettext("The second line is no network: %(error)s.") % {"error": error}
        ) from error
    found = list(_addresses(rows, net))
    with transaction.atomic():
        name = str(net)
        subnet = Subnet.objects.select_for_update(of=("self",)).filter(
            subnet=name, organization=owner
        ).first() or create_subnet(name=_first(rows[0]), subnet=name, organization=owner)
        known = set(subnet.addresses.values_list("number", flat=True))
        fresh = {one.number: one for one in found if one.number not in known}
        for one in fresh.values():
            one.subnet = subnet
        IpAddress.objects.bulk_create(fresh.values(), batch_size=500)
    return len(fresh)


def _addresses(rows: list[list[str]], net: addresses.Network) -> Iterator[IpAddress]:
    """Yield the addresses of the lines; above them stands a line of names, in any words."""
    is_headed = False
    for line, row in enumerate(rows[3:], start=4):
        if not _first(row):
            continue
        names_columns = not is_headed and not re.search(r"\d", _first(row))
        is_headed = True
        if not names_columns:
            yield _address(net, row, line)


def _address(net: addresses.Network, row: list[str], line: int) -> IpAddress:
    found = IpAddress(
        ip_address=_first(row), description=from_text(row[1].strip()) if len(row) > 1 else ""
    )
    try:
        found.clean_fields(exclude={"number", "subnet"})
    except ValidationError as error:
        raise Refused(
            gettext("Line %(line)s: %(messages)s")
            % {"line": line, "messages": " ".join(error.messages)}
        ) from error
    found.number = addresses.key_of(found.ip_address)
    span = addresses.whole(net)
    first, last = (addresses.sort_key(net.version, at) for at in (span.first, span.last))
    if not first <= found.number <= last:
        raise Refused(
            gettext("Line %(line)s: %(ip_address)s is not in %(net)s.")
            % {"line": line, "ip_address": found.ip_address, "net": net}
        )
    return found
