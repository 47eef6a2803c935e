"""Commands of RouterOS that change nothing and print something."""

from typing import Any

Row = dict[str, str]


def printed(device: Any, command: str, values: Row) -> Any:
    """Return what a command answers; None for any other command."""
    if command == "execute":
        return {"ret": device.export()}
    if command == "tool/ping":
        return [
            {"seq": str(at), "host": values["address"], "size": "56", "ttl": "64",
             "time": "1ms250us", "sent": str(at + 1), "received": str(at + 1),
             "packet-loss": "0"}
            for at in range(int(values["count"]))
        ]  # fmt: skip
    if command == "tool/traceroute":
        hops = [("192.168.88.254", "0.4"), (values["address"], "12.5")]
        return [
            {".section": str(section), "address": address, "loss": "0", "sent": "1",
             "last": time, "avg": time, "best": time, "worst": time, "status": ""}
            for section in range(2)
            for address, time in hops[: section + 1]
        ]  # fmt: skip
    return None


def sentences(told: Any) -> list[list[str]]:
    """Return an answer as sentences of the binary API."""
    if isinstance(told, dict):
        return [["!done", *(f"={name}={value}" for name, value in told.items())]]
    rows = [["!re", *(f"={name}={value}" for name, value in row.items())] for row in told]
    return [*rows, ["!done"]]
