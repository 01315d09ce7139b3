"""Skips are counted as failures unless expected.

In CI (environment variable CI set) a test that is skipped, or fails as expected, must be listed in
`expected_skips.txt` beside this file, one to a line:

    test id, `*` for anything | the reason it gives, `*` for anything | why that is right

Otherwise the session fails: a test that silently does not run proves nothing.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("expected_skips.txt")


class SkipGuard:
    """Collects the skips of a session, those of xdist's workers too, and judges them at its end."""

    def __init__(self) -> None:
        self._skips: list[tuple[str, str]] = []
        self._unexpected: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._take(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._take(report)

    def _take(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
            self._skips.append((report.nodeid, why.removeprefix("Skipped: ")))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        expected = [line.split(" | ") for line in LIST.read_text().splitlines() if line and line[0] != "#"]
        for nodeid, reason in self._skips:
            if not any(fnmatchcase(nodeid, test) and fnmatchcase(reason, text) for test, text, _ in expected):
                self._unexpected.append((nodeid, reason))
        if self._unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unexpected:
            terminalreporter.section(f"skips not listed in {LIST.name}")
        for nodeid, reason in self._unexpected:
            terminalreporter.line(f"{nodeid}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipGuard(), "skip-guard")
