"""ZeroTier identities, generated with ZeroTier's tool (deliberately expensive)."""

import subprocess

from controller.base.errors import Refused

TOOL = "zerotier-idtool"
SECONDS = 60


def generate() -> str:
    """Generate an identity with its secret; starts with the member id and a colon.

    Raises Refused if the tool is missing or fails.
    """
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
