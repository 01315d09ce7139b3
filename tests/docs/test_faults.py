"""The page on faults is true: each fault on it is one, and its commands do what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from multikernel.errors import UsageError
from multikernel.faults import KINDS, parse

TEXT = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
COMMANDS = re.findall(r"^    (mkit [^#\n]+)(?:# .*exit code (\d))?", TEXT, re.MULTILINE)


def test_every_fault_on_the_page_is_one() -> None:
    found = [parse(text) for text in re.findall(rf"`((?:{'|'.join(KINDS)}):[^`]+)`", TEXT)]
    assert {fault.kind for fault in found} == set(KINDS)
    for when in re.findall(r"`(run\+[^`]+|message:\d+|step:\d+)`", TEXT):
        if when != "run+":
            parse(f"stop:1@{when}")
    (form,) = re.findall(r"^    (KIND:\S+)$", TEXT, re.MULTILINE)
    with pytest.raises(UsageError, match=re.escape(form)):
        parse("x")


@pytest.mark.parametrize(("command", "code"), COMMANDS)
def test_every_command_on_the_page_runs(command: str, code: str) -> None:
    words = shlex.split(command)[1:]
    done = subprocess.run([sys.executable, "-m", "multikernel", *words], capture_output=True, text=True, check=False)
    assert done.returncode == int(code or 0), done.stderr
    assert f"fault: {words[words.index('--fault') + 1]}" in done.stdout
