"""The pyDatalog backend's sharp edges: isolation, threads, steps, the engine without its compiled half."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from pyDatalog import pyDatalog

import mk_pydatalog
from multikernel.errors import BudgetExceeded, KnowledgeError
from multikernel.knowledge.backend import SkbBackend
from multikernel.knowledge.facts import Fact, Source, predicate
from multikernel.knowledge.ir import Program, Query, Var
from multikernel.knowledge.rules import parse_condition, parse_rules
from multikernel.knowledge.skb import Skb
from multikernel.registry import Registry

SOURCE = Source("asserted", "test")
REACH = "reach(A, B) <= link(A, B)\nreach(A, B) <= reach(A, C) & link(C, B)"


def backend() -> SkbBackend:
    return Registry.of(mk_pydatalog).skb_backends.get("pydatalog").factory()


def ring(size: int, step: int = 1) -> Skb:
    skb = Skb(backend())
    skb.declare(predicate("link(a: int, b: int)"))
    skb.add_rules(REACH, "reach.dl")
    for node in range(size):
        skb.assert_fact("link", (node, (node + step) % size), SOURCE)
    return skb


def test_a_query_over_its_budget_says_so_and_leaves_the_rest_intact() -> None:
    skb = ring(30)
    with pytest.raises(BudgetExceeded, match="100 steps"):
        skb.query("reach(0, X)", budget=100)
    assert len(skb.query("reach(0, X)").rows) == 30


@pytest.mark.parametrize(
    "text",
    [
        "found(B) <= reach(0, B)\nreach(A, B) <= link(A, B)\nreach(A, B) <= link(A, C) & reach(C, B)",
        "found(A) <= link(A, _) & ~other(A)\nother(A) <= link(A, _) & ~found(A)",
    ],
    ids=["right recursion", "negation of itself"],
)
def test_what_hangs_the_engine_is_refused_and_stopped_by_the_budget(text: str) -> None:
    """On facts with a cycle, as found by trying random graphs."""
    rules = parse_rules(text, "hangs.dl")
    names = {(rule.name, len(rule.head.terms)) for rule in rules} | {("link", 2)}
    links = [(0, 2), (1, 0), (1, 1), (1, 2), (1, 4), (2, 2), (2, 3), (2, 4), (3, 0), (3, 3), (4, 0), (4, 3)]
    unchecked = backend()
    unchecked.set_rules(Program(rules, tuple(sorted(names))))
    unchecked.sync([Fact("link", link, SOURCE, 1) for link in links], [])
    with pytest.raises(BudgetExceeded):
        unchecked.query(Query((Var("X"),), parse_condition("found(X)", "goal"), "found(X)"), 100_000)
    skb = ring(1)
    with pytest.raises(KnowledgeError, match=r"recursion|unstratified"):
        skb.add_rules(text.replace("reach", "get"), "hangs.dl")


def test_two_skbs_share_nothing() -> None:
    one, other = ring(3), ring(5)
    assert len(one.query("reach(0, X)").rows) == 3
    assert len(other.query("reach(0, X)").rows) == 5
    one.retract("link", (0, 1))
    assert one.query("reach(0, X)").rows == ()
    assert len(other.query("reach(0, X)").rows) == 5


def test_threads_on_two_skbs_get_right_answers() -> None:
    skbs = (ring(7), ring(11))
    wrong: list[tuple[int, int, object]] = []

    def ask(seed: int) -> None:
        for turn in range(40):
            which = (seed + turn) % 2
            start = (seed * 5 + turn) % 7
            goal = f"reach({start}, X) & (X + {turn} >= 0)"  # a new text each time, so that none is remembered
            rows = skbs[which].query(goal).rows
            if rows != tuple((node,) for node in range((7, 11)[which])):
                wrong.append((which, start, rows))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_callers_own_pydatalog_is_left_alone() -> None:
    pyDatalog.assert_fact("mine", 1)
    skb = ring(3)
    skb.query("reach(0, X)")
    pyDatalog.assert_fact("mine", 2)
    assert sorted(pyDatalog.ask("mine(X)").answers) == [(1,), (2,)]
    with pytest.raises(AttributeError, match="without definition"):
        pyDatalog.ask("k_link(X, Y)")


def test_predicates_named_like_the_engines_own_words_work() -> None:
    skb = Skb(backend())
    skb.declare(predicate("id(a: int)"), predicate("in(a: int)"), predicate("len(a: int)"))
    skb.assert_fact("id", (1,), SOURCE)
    skb.assert_fact("len", (1,), SOURCE)
    skb.add_rules("print(X) <= id(X) & len(X)", "names.dl")
    assert skb.query("print(X)").rows == ((1,),)


SCRIPT = """
import json, sys
from pyDatalog import pyEngine
from multikernel.testing.backends import MEANT
from tests.knowledge.test_rules import family
answers = {}
for name, (text, goal, _) in MEANT.items():
    skb = family()
    skb.add_rules(text, "good.dl")
    answers[name] = skb.query(goal).rows
print(json.dumps({"engine": pyEngine.__file__, "answers": answers}))
"""


def run_with(folder: Path | None) -> tuple[str, object]:
    """The answers to every program of `test_rules`, by the pyDatalog in `folder` or the installed one."""
    root = Path(__file__).parents[2]
    path = [*([str(folder)] if folder else []), str(root), *(entry for entry in sys.path if entry)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    said = json.loads(done.stdout)
    return said["engine"], said["answers"]


def test_the_compiled_and_the_pure_engine_agree(tmp_path: Path) -> None:
    found = find_spec("pyDatalog")
    assert found is not None
    assert found.origin is not None
    shutil.copytree(Path(found.origin).parent, tmp_path / "pyDatalog", ignore=shutil.ignore_patterns("*.so", "*.pyd"))
    _, installed = run_with(None)
    engine, pure = run_with(tmp_path)
    assert engine.endswith(".py")
    assert pure == installed
