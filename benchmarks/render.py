"""Benchmark of rendering: unmodified netjsonconfig against ours, interleaved.

    python -m benchmarks.render [rounds]

On a shared machine only the ratio is meaningful.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import netjsonconfig

from controller.configs.engine.render import render, validate
from tests.configs.engine_corpus import ACCEPTED, REALISTIC, Case

REFERENCES = {
    "netjsonconfig.OpenWrt": netjsonconfig.OpenWrt,
    "netjsonconfig.OpenWisp": netjsonconfig.OpenWisp,
}


def reference(case: Case) -> object:
    backend = REFERENCES[case.backend](
        case.config, templates=list(case.templates), context=case.context, dsa=True
    )
    return backend.generate()


def ours(case: Case) -> object:
    return render(case.backend, case.templates, case.config, case.context)


def check(case: Case) -> object:
    return validate(case.backend, case.templates, case.config, case.context)


WAYS: dict[str, Callable[[Case], object]] = {
    "netjsonconfig": reference, "render": ours, "validate": check,
}  # fmt: skip


def measure(cases: Sequence[Case], rounds: int) -> dict[str, float]:
    """Return the median CPU milliseconds of one case, by implementation."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, run in WAYS.items():
            with contextlib.redirect_stdout(io.StringIO()):
                started = time.process_time()
                for case in cases:
                    run(case)
                times[way].append((time.process_time() - started) / len(cases) * 1000)
    return {way: statistics.median(values) for way, values in times.items()}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    varied = [Case(*json.loads(json.dumps(case))) for case in ACCEPTED]
    print(f"{'corpus':12}{'way':16}{'ms/device':>10}{'ratio':>8}")
    for name, cases in (("realistic", [REALISTIC] * 10), ("varied", varied)):
        medians = measure(cases, rounds)
        for way, milliseconds in medians.items():
            ratio = medians["netjsonconfig"] / milliseconds
            print(f"{name:12}{way:16}{milliseconds:10.2f}{ratio:7.1f}x")


if __name__ == "__main__":
    main()
