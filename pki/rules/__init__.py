"""Rules of certificate authorities and certificates."""

from pki.rules.authorities import (
    add_ca,
    create_ca,
    delete_ca,
    import_ca,
    renew_ca,
    update_ca,
)
from pki.rules.certificates import (
    add_cert,
    delete_cert,
    import_cert,
    issue,
    issue_for_request,
    renew,
    update_cert,
)
from pki.rules.expiry import notices, renew_due, tell_expiring
from pki.rules.revocation import (
    current_list,
    publish,
    publish_due,
    revoke,
    revoke_all,
    status_of,
)

__all__ = [
    "add_ca",
    "add_cert",
    "create_ca",
    "current_list",
    "delete_ca",
    "delete_cert",
    "import_ca",
    "import_cert",
    "issue",
    "issue_for_request",
    "notices",
    "publish",
    "publish_due",
    "renew",
    "renew_ca",
    "renew_due",
    "revoke",
    "revoke_all",
    "status_of",
    "tell_expiring",
    "update_ca",
    "update_cert",
]
