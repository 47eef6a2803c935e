"""Log output of the portal's processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from celery import shared_task

from controller.base.request_context import current_context

ROOT = Path(__file__).parents[2]


def logged(code: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip().splitlines()


def test_a_line_of_json_has_its_request_its_task_and_its_traceback() -> None:
    code = (
        "import logging\n"
        "from controller.base.request_context import RequestContext, use_context\n"
        "with use_context(RequestContext('request-7', channel='a.task')):\n"
        "    try: 1 / 0\n"
        "    except ZeroDivisionError: logging.getLogger('muster').exception('It failed')\n"
    )
    [line] = logged(code, LOG_FORMAT="json")
    row = json.loads(line)
    assert "ZeroDivisionError" in row.pop("exc_info")
    assert row.pop("time")
    assert row == {
        "level": "ERROR", "logger": "muster", "message": "It failed",
        "request_id": "request-7", "channel": "a.task",
    }  # fmt: skip


def test_an_unknown_format_is_told_at_the_start() -> None:
    assert "LOG_FORMAT" in " ".join(logged("", LOG_FORMAT="xml"))


@shared_task
def whose() -> tuple[str, str]:
    return current_context().request_id, current_context().channel


def test_a_task_goes_by_the_request_that_woke_it_or_by_its_own_id() -> None:
    woken = whose.apply(task_id="t1", headers={"request_id": "request-7"}).get()
    assert woken == ("request-7", whose.name)
    assert whose.apply(task_id="t2").get() == ("t2", whose.name)
