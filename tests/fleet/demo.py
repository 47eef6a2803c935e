"""Report the demo fleet to the portal: ``python -m tests.fleet.demo``."""

import argparse
import os
import sys
from pathlib import Path

import django
from django.core.management import CommandError, call_command

WAIT_SECONDS = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleet", type=Path, required=True)
    parser.add_argument("--mesh", type=Path, required=True)
    folders = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controller.settings")
    django.setup()
    try:
        call_command("demo", fleet=folders.fleet, wait=WAIT_SECONDS)
        call_command("demo_places")
        call_command("demo_network", fleet=folders.mesh, wait=WAIT_SECONDS)
        call_command("demo_supervisors", fleet=folders.fleet)
        call_command("demo_gateways", fleet=folders.fleet)
        call_command("demo_history")
    except CommandError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
