"""Response formats of the Hass.io dialect that are the portal's own."""

import json
from typing import Any

from supervisor_proxy.models import SupervisorCall

State = SupervisorCall.State


def job(call: SupervisorCall) -> dict[str, Any]:
    """Return a worker's call in the format of a supervisor's job."""
    is_over = call.state not in SupervisorCall.OPEN
    told = told_by_device(call)
    errors = [] if call.state == State.SUCCEEDED or not is_over else [
        {
            "type": call.code or call.state,
            "message": call.reason or told.get("message") or call.answer,
            "stage": None,
        }
    ]  # fmt: skip
    made = told.get("data")
    return {
        "name": call.name,
        # Of a new backup, its slug.
        "reference": made.get("slug") if isinstance(made, dict) else None,
        "uuid": call.pk.hex,
        "progress": 100 if is_over else call.progress,
        "stage": call.stage if not is_over and call.stage else call.get_state_display(),
        "done": is_over,
        "child_jobs": [],
        "errors": errors,
        "created": call.created.isoformat(),
        "extra": None,
    }


def told_by_device(call: SupervisorCall) -> dict[str, Any]:
    """Return the envelope that a device answered with, if that is what was kept."""
    try:
        found = json.loads(call.answer or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
