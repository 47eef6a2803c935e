"""Identities of ZeroTier members. Making one is a deliberate effort that only its own tool does."""

import subprocess

from controller.base.errors import Refused

TOOL = "zerotier-idtool"
SECONDS = 60


def generate() -> str:
    """A new identity with its secret; it begins with the member's id and a colon."""
    try:
        made = subprocess.run(  # noqa: S603 - a fixed command
            [TOOL, "generate"], capture_output=True, text=True, check=True, timeout=SECONDS
        )
    except FileNotFoundError:
        raise Refused(
            f"Identities of ZeroTier members are made by {TOOL}, which this portal lacks: "
            "install the package zerotier-one where its workers run."
        ) from None
    except subprocess.SubprocessError as error:
        raise Refused(f"{TOOL} failed ({type(error).__name__}).") from error
    return made.stdout.strip()
