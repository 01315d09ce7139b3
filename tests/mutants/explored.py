"""Which bugs of the consistency protocols are found without a test that knows of them: by exploring, or by a campaign.

    python -m tests.mutants.explored [--budget SECONDS] [--jobs N] [PREFIX ...]

For each mutant of a protocol: `mkit check`, with the protocol's default options and then with more timeouts, and if
that finds nothing `mkit campaign` on a small board, each within the budget (60 s).  Prints a row a mutant, and exits 1
when of a protocol fewer than five are found.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.mutants.run import HERE, PARTS, ROOT, Bad, Mutant, call, copy, mutate, read

DEEPER = ("--faults", "none", "--timeouts", "3", "--lulls", "4", "--operations", "1")


class Target(NamedTuple):
    """A protocol: the sources that its mutants change, its options for a deeper exploration, and where campaigns find
    it (empty: nowhere)."""

    protocol: str
    sources: tuple[str, ...]
    deeper: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()


TARGETS = (
    Target("one-phase", ("plugins/mk_shootdown/",)),
    Target("two-phase", ("plugins/mk_two_phase/",), (), ("paper-2x2-amd", "--object", "reservation")),
    Target(
        "ordered-broadcast",
        ("plugins/mk_ordered_broadcast/", "kit/multikernel/system/ordered.py"),
        (),
        ("mesh:3x1", "--object", "log"),
    ),
    Target("replicated-log", ("plugins/mk_replicated_log/",), (), ("tests/campaign/chain.yaml", "--object", "log")),
    Target("consensus", ("plugins/mk_consensus/",), DEEPER, ("mesh:3x1", "--object", "store", "--changes", "1")),
    Target("eventual", ("plugins/mk_eventual/",), (), ("mesh:3x1", "--object", "load")),
)


class Found(NamedTuple):
    """How a mutant was found (empty: it was not), what it violates, and how long it took."""

    by: str
    how: str
    seconds: float


def explore(mutant: Mutant, target: Target, base: Path, folder: Path, budget_s: float) -> Found:
    """See the module."""
    tree = folder / mutant.name
    copy(base, tree, PARTS)
    try:
        mutate(tree, mutant)
        begun = time.monotonic()
        budget = ("--budget", f"{budget_s:.0f}")
        ways = [("check", target.protocol, *budget)]
        if target.deeper:
            ways.append(("check", target.protocol, *target.deeper, *budget))
        if target.campaign:
            ways.append(("campaign", *target.campaign, *budget, "--jobs", "1", "--schedules", "100000"))
        for way in ways:
            _, output = call(tree, sys.executable, "-m", "multikernel", *way, "--json", limit_s=4 * budget_s)
            if how := violated(output):
                return Found(way[0], how, time.monotonic() - begun)
        return Found("", "", time.monotonic() - begun)
    except Bad as error:
        return Found("", str(error), 0.0)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def violated(output: str) -> str:
    """The property that the first object in what a command printed says is violated; "" for none."""
    line = next((line for line in output.splitlines() if line.startswith("{")), "{}")
    document = json.loads(line)
    rows = document.get("trees", document.get("explorations", [document]))
    found = [row["violation"]["property"] for row in rows if row.get("violation")]
    return found[0] if found else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("prefix", nargs="*", help="mutants whose names begin so; all if none is given")
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    wanted = [
        (read(path), target)
        for target in TARGETS
        for path in sorted(HERE.glob("*.patch"))
        if any(f"+++ b/{source}" in path.read_text() for source in target.sources)
        and path.stem.startswith(tuple(given.prefix) or "")
    ]
    count: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mk-explored-") as temporary:
        base = Path(temporary) / "base"
        copy(ROOT, base, PARTS)
        with ThreadPoolExecutor(given.jobs) as pool:
            found = pool.map(lambda one: explore(*one, base, Path(temporary), given.budget), wanted)
            for (mutant, target), verdict in zip(wanted, found, strict=True):
                count[target.protocol] += bool(verdict.by)
                told = f"{verdict.by or '-':9} {verdict.how:12} {verdict.seconds:5.1f} s"
                print(f"{target.protocol:18} {mutant.name:44} {told}", flush=True)
    asked = dict.fromkeys(target.protocol for _, target in wanted)
    print(", ".join(f"{protocol}: {count[protocol]} found" for protocol in asked))
    return 0 if all(count[protocol] >= 5 for protocol in asked) else 1


if __name__ == "__main__":
    sys.exit(main())
