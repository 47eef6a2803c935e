"""Preview of the file changes of a rollout or bulk operation."""

import difflib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.base.archive import unpacked
from controller.base.errors import Refused
from controller.configs.models import Config, Rollout
from controller.configs.rules.rendering import Inputs, inputs_of, with_inputs
from controller.configs.rules.snapshots import file_as, render_file

# Each is rendered while the page is loading.
PREVIEW_LIMIT = 200

Files = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Group:
    """Devices with the same changed lines; the files are those of the first device."""

    devices: tuple[str, ...]
    before: Files
    after: Files
    added: int
    removed: int
    error: str = ""


@dataclass(frozen=True)
class ChangePreview:
    total: int
    looked_at: int
    unchanged: int
    groups: tuple[Group, ...]


def preview_device(rollout: Rollout, configs: Any, *, is_open: bool) -> ChangePreview:
    """Preview a rollout on these configurations (a queryset), grouped by change."""
    using = configs.filter(uses__template=rollout.template_id, is_retired=False)
    return preview_changes(using, lambda one: inputs_of(one, instead=rollout), is_open=is_open)


def preview_changes(
    configs: Any, wanted_of: Callable[[Config], Inputs], *, is_open: bool
) -> ChangePreview:
    """Preview the changes if these configurations (a queryset) had other inputs."""
    ids = list(configs.order_by("device__name").values_list("pk", flat=True)[:PREVIEW_LIMIT])
    rows = with_inputs().select_related("desired").filter(pk__in=ids).order_by("device__name")
    names: dict[str, list[str]] = {}
    first: dict[str, Group] = {}
    unchanged = 0
    for config in rows:
        group = _change(config, wanted_of(config), is_open=is_open)
        if group is None:
            unchanged += 1
            continue
        key = _key(group)
        first.setdefault(key, group)
        names.setdefault(key, []).append(config.device.name)
    groups = [
        Group(
            tuple(names[key]), one.before, one.after, one.added, one.removed, one.error
        )
        for key, one in first.items()
    ]  # fmt: skip
    groups.sort(key=lambda one: -len(one.devices))
    return ChangePreview(configs.count(), len(ids), unchanged, tuple(groups))


def _change(config: Config, wanted: Inputs, *, is_open: bool) -> Group | None:
    try:
        rendered = wanted.render()
    except Refused as refusal:
        text = str(refusal) if is_open else "It cannot be rendered for these devices."
        return Group((), (), (), 0, 0, text)
    known = config.desired
    if known is not None and known.checksum == rendered.checksum:
        return None
    before = unpacked(known.archive) if known else []
    secrets = _secrets(wanted, config) if not is_open else []
    old = tuple(render_file(file, secrets, is_open=is_open) for file in before)
    new = tuple(render_file(file, secrets, is_open=is_open) for file in rendered.files)
    if known is not None and known.made_of is None and not is_open:
        old = tuple(file_as(file, "") for file in before)
    changes = list(_lines(old, new))
    added = sum(line.startswith("+") for line in changes)
    return Group((), _without(old, new), _without(new, old), added, len(changes) - added)


def _without(files: Files, same: Files) -> Files:
    return tuple(file for file in files if file not in same)


def _secrets(wanted: Inputs, config: Config) -> list[str]:
    made_of: dict[str, Any] = (config.desired and config.desired.made_of) or {}
    return [*wanted.secrets(), *made_of.get("secrets", [])]


def _key(group: Group) -> str:
    """Return a key that is equal for devices with the same changed lines."""
    text = "\n".join([group.error, *_lines(group.before, group.after)])
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Yield changed lines as ``+path line`` and ``-path line``."""
    old = {file["path"]: file["text"] for file in before}
    new = {file["path"]: file["text"] for file in after}
    for path in sorted(old.keys() | new.keys()):
        one, other = old.get(path, ""), new.get(path, "")
        if one == other:
            continue
        changes = difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=0)
        for line in changes:
            if line[:2] != "@@" and line not in {"--- ", "+++ "}:
                yield f"{line[0]}{path} {line[1:]}"
