"""pytest in a child of a room: it watches what tests run, or asks them up to the first that fails."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import hypothesis
import pytest

from mutation.seen import Map

_ALWAYS = (
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:anyio",
    "--no-header",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
)


def _pytest(files: Sequence[str], plugin: object) -> None:
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # the smallest example is of no use here
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, phases=phases, deadline=None
    )
    hypothesis.settings.load_profile("mutants")
    pytest.main([*_ALWAYS, *files], plugins=[plugin])


def watched(file: str, found: Map) -> dict[str, Any]:
    watch = _Watch(found)
    _pytest([file], watch)
    return {"tests": watch.tests, "loaded": sorted(watch.loaded), "failed": watch.failed}


class _Watch:
    def __init__(self, found: Map) -> None:
        self._map = found
        self.tests: dict[str, Any] = {}
        self.loaded: set[int] = set()
        self.failed: list[str] = []
        self._good = True

    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> None:
        self.loaded.update(self._map.take())
        self._good, self._began = True, time.monotonic()

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._good = self._good and report.passed
        if report.failed:
            self.failed.append(f"{report.nodeid} {report.when} {str(report.longrepr)[-700:]}")

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        numbers = self._map.take()
        self.loaded.update(numbers)
        if self._good:
            self.tests[nodeid] = [round(time.monotonic() - self._began, 3), numbers]


def tried(tests: Mapping[str, float], result: int) -> dict[str, Any]:
    attempt = _Attempt(tests, result)
    files = list(dict.fromkeys(name.partition("::")[0] for name in tests))
    _pytest(["-x", *files], attempt)
    return attempt.told()


class _Attempt:
    """Tests in our order, each with a bound; the first that fails is what we want to know."""

    def __init__(self, tests: Mapping[str, float], result: int) -> None:
        self._tests, self._result = tests, result
        self._order = {name: number for number, name in enumerate(tests)}
        self.how, self.by, self.ran = "alive", "", 0

    def told(self) -> dict[str, Any]:
        return {"how": self.how, "by": self.by, "ran": self.ran}

    def _noticed(self, how: str, by: str) -> None:
        """Say so and be gone: what the test leaves behind goes with the room's processes."""
        self.how, self.by = how, by
        os.write(self._result, json.dumps(self.told()).encode())
        os._exit(0)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (each for each in items if each.nodeid in self._order), key=lambda each: self._order[each.nodeid]
        )
        for each in items:
            each.add_marker(pytest.mark.timeout(8 + 8 * self._tests[each.nodeid]))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._noticed("failed", report.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.ran += report.when == "call"
        if report.failed:
            timed_out = "Timeout" in str(report.longrepr)[-300:]
            self._noticed("time" if timed_out else "failed", report.nodeid)
