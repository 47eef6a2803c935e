"""Run the unmodified balena-sdk of PyPI and print the outcome of each call as JSON.

Usage: pysdk.py PORTAL TOKEN < [[method, *arguments], …]      (``device.ping``, ``auth.whoami``)
It only asks ``https://api.HOST``; here those requests go to the portal's address.
"""

import json
import operator
import sys
from typing import Any

import requests
from balena import Balena

HOST = "muster.example"
SEND = requests.Session.request


def outcome(sdk: Any, name: str, arguments: list[Any]) -> dict[str, Any]:
    owner = sdk if name.startswith("auth.") else sdk.models
    try:
        return {"value": operator.attrgetter(name)(owner)(*arguments)}
    except Exception as error:  # noqa: BLE001 - what it raises is what is looked for
        return {"error": type(error).__name__, "message": str(error)}


def main(portal: str, token: str) -> None:
    def request(session: Any, method: str, url: str, *args: Any, **more: Any) -> Any:
        return SEND(session, method, url.replace(f"https://api.{HOST}", portal), *args, **more)

    requests.Session.request = request  # type: ignore[method-assign]
    sdk = Balena({"balena_host": HOST, "data_directory": False})
    sdk.auth.login_with_token(token)
    calls = json.load(sys.stdin)
    results = [outcome(sdk, name, arguments) for name, *arguments in calls]
    print(json.dumps(results, default=str))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
