"""The README's first command prints what the README says it prints."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_first_command_prints_what_the_page_shows() -> None:
    command = re.search(r"\.venv/bin/mkit (boot [^`\n]*)", README)
    shown = re.search(r"\n\n((?:    .*\n)*    off at .*\n)", README)
    assert command is not None
    assert shown is not None
    page = [line.removeprefix("    ") for line in shown[1].splitlines()]
    run = subprocess.run(
        [sys.executable, "-m", "multikernel", *command[1].split()], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-len(page) :] == page


def test_every_session_of_the_page_prints_what_it_shows() -> None:
    sessions = re.findall(r"^    \$ mkit (.+)\n((?:    [^$\n].*\n)+)", README, re.MULTILINE)
    assert sessions
    for arguments, shown in sessions:
        run = subprocess.run(
            [sys.executable, "-m", "multikernel", *shlex.split(arguments)], capture_output=True, text=True, check=True
        )
        page = [line.removeprefix("    ") for line in shown.splitlines()]
        assert run.stdout.splitlines()[: len(page)] == page
