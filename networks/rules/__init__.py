"""What may be done with addresses."""

from networks.rules.addresses import (
    Allocation,
    Host,
    add_address,
    allocate,
    allocation,
    create_subnet,
    delete_address,
    delete_subnet,
    free,
    host_range,
    next_free,
    position,
    update_address,
    update_subnet,
)
from networks.rules.exchange import as_csv, import_csv, owner_in

__all__ = [
    "Allocation",
    "Host",
    "add_address",
    "allocate",
    "allocation",
    "as_csv",
    "create_subnet",
    "delete_address",
    "delete_subnet",
    "free",
    "host_range",
    "import_csv",
    "next_free",
    "owner_in",
    "position",
    "update_address",
    "update_subnet",
]
