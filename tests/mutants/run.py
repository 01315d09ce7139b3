"""Mutants: bugs put into the shipped code on purpose, each of which a named test has to find.

    python tests/mutants/run.py [NAME ...] [--budget SECONDS] [--jobs N]

A mutant is NAME.patch beside this file: comment lines, then a unified diff (`git apply`).

    # breaks: what goes wrong with it, for a person
    # killed by: tests/...::test            one line a test; all must fail
    # shows: regular expression             in what the failure says: killed for the right reason

1. The tree is copied to a temporary folder; the work tree is never touched.
2. Every named test passes there, on the code as it is, found by PYTHONPATH before any installed one.
3. For each mutant, in a copy of its own: the patch applies, C extensions it touches are compiled, and each
   named test fails: in its body, with what `shows` says.  An error before that, a skip, a hang or an
   exception that says the mutant is no working code is no kill.

Exits 1 when a mutant survives, no longer applies, or there was no time left to run it.
May not know: what any mutant or test does.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("kit", "plugins", "boards", "tests", "pyproject.toml", "hatch_build.py")
"""What of the tree the tests named by mutants need."""
LIMIT_S = 90
"""How long the named tests of one mutant may take: ten times what the slowest takes alone."""
BROKEN = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError", "UnboundLocalError")
"""A failure of such a type says that the mutant is no working code."""


class Bad(Exception):
    """A mutant, or what it is run in, is not as it must be; says how."""


@dataclass(frozen=True)
class Mutant:
    """A patch file, read."""

    name: str
    path: Path
    breaks: str
    tests: tuple[str, ...]
    shows: str


@dataclass(frozen=True)
class Verdict:
    """`killed`, or what happened instead (`problem`)."""

    mutant: Mutant
    killed: bool
    problem: str
    seconds: float


def read(path: Path) -> Mutant:
    """The mutant in a patch file.  Raises Bad for a header that lacks something."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        key, colon, value = line[1:].partition(":")
        if colon:
            found.setdefault(key.strip(), []).append(value.strip())
    for key in ("breaks", "killed by", "shows"):
        if not found.get(key, [""])[0]:
            raise Bad(f"{path.name} lacks a line '# {key}: ...'")
    return Mutant(path.stem, path, found["breaks"][0], tuple(found["killed by"]), found["shows"][0])


def judge(report: ET.Element, expected: int, shows: str) -> str:
    """Empty if `report`, pytest's JUnit XML, says that `expected` tests ran and all failed as `shows` says;
    else what happened.  A test with parameters is as many cases, one of which has to fail."""
    cases: dict[tuple[str, str], list[ET.Element]] = {}
    for case in report.iter("testcase"):
        name = (case.get("name") or "").partition("[")[0]
        cases.setdefault((case.get("classname") or "", name), []).append(case)
    if len(cases) != expected:
        return f"{len(cases)} tests ran, not {expected}"
    for (_, name), found in cases.items():
        failures = [failure for case in found for failure in case.iter("failure")]
        if not failures and any(case.find("error") is not None for case in found):
            return f"{name} did not get to run"
        if not failures:
            return f"{name} passes" if any(len(case) == 0 for case in found) else f"{name} was skipped"
        for failure in failures:
            message = failure.get("message") or ""
            if message.partition(":")[0].rpartition(".")[2] in BROKEN:
                return f"{name}: no working code: {message}"
        if not any(re.search(shows, failure.get("message", "") + (failure.text or "")) for failure in failures):
            return f"{name} fails, but does not show {shows!r}: {failures[0].get('message', '').splitlines()[:1]}"
    return ""


def environment(tree: Path) -> dict[str, str]:
    """Variables under which Python takes the code of `tree`."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTEST_ADDOPTS", "CI", "PYTHONPATH")}
    temporary = tree / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**kept, "PYTHONPATH": f"{tree / 'kit'}:{tree / 'plugins'}", "TMPDIR": str(temporary)}


def call(tree: Path, *command: str | Path, limit_s: float = LIMIT_S) -> tuple[int, str]:
    """Exit status and output of a command run in `tree`; it and all it started are killed at the limit, and
    the status then is -9."""
    with subprocess.Popen(
        command, cwd=tree, env=environment(tree), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return -9, output
    return process.returncode, output


def pytest(tree: Path, tests: Sequence[str], limit_s: float = LIMIT_S) -> tuple[int, str, ET.Element]:
    """Run tests in `tree`: exit status, output, and the report."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    options = ("-q", "--tb=short", "-p", "no:cacheprovider", "--hypothesis-seed=0", f"--junitxml={report}")
    status, output = call(tree, sys.executable, "-m", "pytest", *options, *tests, limit_s=limit_s)
    return status, output, ET.parse(report).getroot() if report.exists() else ET.Element("none")


def copy(source: Path, target: Path, parts: Sequence[str]) -> None:
    """Copy parts of a tree, times kept, so that what is compiled of them stays good."""
    target.mkdir()
    for part in parts:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part)
        else:
            shutil.copy2(source / part, target / part)


def prepare(tree: Path, mutants: Sequence[Mutant]) -> None:
    """Step 1 and 2.  Raises Bad when a named test does not pass on the code as it is."""
    copy(ROOT, tree, PARTS)
    _, output = call(tree, sys.executable, "-c", "import multikernel as m, mk_sim as s; print(m.__file__, s.__file__)")
    if not all(file.startswith(str(tree)) for file in output.split()):
        raise Bad(f"the code of the copy is not what Python takes: {output}")
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    status, output, report = pytest(tree, tests, limit_s=10 * LIMIT_S)
    if status != 0:
        raise Bad(f"not all of the named tests pass on the code as it is (status {status}):\n{output}")
    skipped = [case.get("name") for case in report.iter("testcase") if case.find("skipped") is not None]
    if skipped:
        raise Bad(f"skipped here, so they can kill nothing: {', '.join(map(str, skipped))}")


def mutate(tree: Path, mutant: Mutant) -> None:
    """Apply the patch, and make what is made of the files it touches.  Raises Bad."""
    status, output = call(tree, "git", "apply", "--numstat", mutant.path)
    touched = [tree / line.split("\t")[2] for line in output.splitlines()] if status == 0 else []
    before = [path.read_bytes() for path in touched if path.exists()]
    if status == 0:
        status, output = call(tree, "git", "apply", mutant.path)
    if status != 0 or not touched or before == [path.read_bytes() for path in touched if path.exists()]:
        raise Bad(f"does not apply: {output.strip()}")
    for path in touched:
        if path.relative_to(tree).parts[0] not in ("kit", "plugins"):
            raise Bad(f"touches {path.relative_to(tree)}, which is not shipped code")
        for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            stale.unlink()
        if path.suffix in (".c", ".h") and path.parent.parent.name == "plugins":
            path = next(c for c in sorted(path.parent.glob("_*.c")) if path.stem.startswith(c.stem))
            build = "import sys, pathlib as p, hatch_build as h; a, b = map(p.Path, sys.argv[1:])\n"
            build += "sys.exit(h.compile_extension(h.find_compiler()[0], a, b) or 0)"
            status, output = call(tree, sys.executable, "-c", build, path, path.with_suffix(".abi3.so"))
            if status != 0:
                raise Bad(f"does not compile: {output.strip()}")


def run(mutant: Mutant, base: Path, folder: Path, end: float) -> Verdict:
    """Step 3."""
    start = time.monotonic()
    if start > end:
        return Verdict(mutant, False, "not run: the time is over", 0)
    tree = folder / mutant.name
    try:
        copy(base, tree, PARTS)
        mutate(tree, mutant)
        status, output, report = pytest(tree, mutant.tests)
        problem = "its tests hang" if status == -9 else judge(report, len(mutant.tests), mutant.shows)
        if status not in (0, 1, -9):
            problem = f"pytest ended with {status}: {output[-500:]}"
    except Bad as error:
        problem = str(error)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return Verdict(mutant, not problem, problem, time.monotonic() - start)


def main(arguments: Sequence[str] | None = None, folder: Path = HERE) -> int:
    """The command; `folder` holds the patches."""
    parser = argparse.ArgumentParser(description="Run mutants of the shipped code against the tests that kill them.")
    parser.add_argument("name", nargs="*", help="mutants to run; all if none is named")
    parser.add_argument("--budget", type=float, default=600, metavar="SECONDS", help="begin none after this (600)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="at once (CPUs)")
    given = parser.parse_args(arguments)
    paths = {path.stem: path for path in sorted(folder.glob("*.patch"))}
    unknown = [name for name in given.name if name not in paths]
    if unknown or not paths:
        parser.error(f"no mutant {', '.join(unknown)}; there are: {', '.join(paths) or 'none'}")
    start = time.monotonic()
    try:
        mutants = [read(path) for name, path in paths.items() if not given.name or name in given.name]
        with tempfile.TemporaryDirectory(prefix="mk-mutants-") as temporary:
            base = Path(temporary) / "base"
            prepare(base, mutants)
            print(f"{'as it is':<34} {'passes':<10} {time.monotonic() - start:5.1f} s", flush=True)
            with ThreadPoolExecutor(given.jobs) as pool:
                end = start + given.budget
                verdicts = []
                for verdict in pool.map(lambda mutant: run(mutant, base, Path(temporary), end), mutants):
                    verdicts.append(verdict)
                    word = "killed" if verdict.killed else "NOT KILLED"
                    print(f"{verdict.mutant.name:<34} {word:<10} {verdict.seconds:5.1f} s  {verdict.mutant.breaks}")
                    if not verdict.killed:
                        print(f"    {verdict.problem}\n    {', '.join(verdict.mutant.tests)}")
                    sys.stdout.flush()
    except Bad as error:
        print(error)
        return 1
    killed = sum(verdict.killed for verdict in verdicts)
    print(f"{killed} of {len(mutants)} mutants killed in {time.monotonic() - start:.0f} s")
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
