"""Tokens with which devices of the inventory report to the portal.

They are signed, not stored: a token names the node and its key, and is void when the key
changes.
"""

from django.conf import settings
from django.core.signing import BadSignature, Signer

from controller.base.secrets import digest
from networks.overlay.engine import configs
from networks.overlay.models import Node

SIGNER = Signer(salt="muster.overlay.agent")
DIGITS = 16


def token_of(node: Node) -> str:
    return SIGNER.sign(f"{node.pk}.{digest(node.public_key)[:DIGITS]}")


def node_of(token: str) -> Node | None:
    """Return the node that the token was made for; None if it is not valid."""
    try:
        pk, _, key = SIGNER.unsign(token).partition(".")
    except BadSignature:
        return None
    found: Node | None = Node.objects.filter(pk=int(pk)).first()
    return found if found is not None and digest(found.public_key)[:DIGITS] == key else None


def reporting(node: Node) -> dict[str, str]:
    """Return the files with which a device of the inventory reports; empty without an URL."""
    if not settings.MUSTER_PUBLIC_URL:
        return {}
    return {
        "portal": f"{settings.MUSTER_PUBLIC_URL}\n",
        "token": f"{{{{ {configs.TOKEN_VARIABLE} }}}}\n",
        "managed": "yes\n",
    }
