"""Renderer of OpenVPN servers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from controller.vpn.engine import rendering, schemas
from controller.vpn.engine.contract import Facts, Json, Peer, Rendered, packed

KEY = "openvpn"
OWN_MODE = "0600"
COMMON_MODE = "0644"


@cache
def schema() -> dict[str, Any]:
    return schemas.openvpn()


def check(config: Json) -> None:
    rendering.check(schema(), config)


def render(config: Json, facts: Facts, _: Sequence[Peer] = ()) -> Rendered:
    complete = {**config, "files": [*config.get("files", []), *_files(config, facts)]}
    return packed(rendering.files(rendering.OpenVpn, complete, facts.variables))


def _files(config: Json, facts: Facts) -> list[dict[str, str]]:
    """Return the files that the configuration names by relative path but does not define.

    Absolute paths are files of the server's own.
    """
    server = config[KEY][0]
    written = {file.get("path") for file in config.get("files", [])}
    known = {"ca": facts.ca, "cert": facts.cert, "key": facts.key, "dh": facts.dh}
    return [
        {
            "path": path,
            "mode": OWN_MODE if name == "key" else COMMON_MODE,
            "contents": contents,
        }
        for name, contents in known.items()
        if (path := server.get(name))
        and contents
        and "/" not in path
        and path != "none"
        and path not in written
    ]
