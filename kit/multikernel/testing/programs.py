"""Programs made by hypothesis: rule text, facts and goals, most of which pass the checker.

Interface: `programs()`, a strategy of `Made`; `PREDICATES`, what their facts are of.

Facts are of integers, some beyond 32 bits, and of strings.  Rules come in layers, each over the ones before:
joins, recursion, negation, comparisons, arithmetic, aggregates.

May not know: any backend.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st

from multikernel.knowledge.facts import Predicate, Row, predicate

VARIABLES = ("X", "Y", "Z", "W")
FACTS = {"e": 2, "f": 2, "u": 1}
"""Predicates of integers and their arity; besides there is n(int, str)."""
PREDICATES: tuple[Predicate, ...] = (
    *(predicate(f"{name}({', '.join(f'c{i}: int' for i in range(arity))})") for name, arity in FACTS.items()),
    predicate("n(c0: int, name: str)"),
)
WORDS = ("", "a", "b", "ab", "B", "ä", "a b", "'", '"', "\\", "%", "0")
LARGE = (2**31, 2**31 + 1, 2**40)


@dataclass(frozen=True)
class Made:
    """`facts` of PREDICATES, rules in the order of their layers, and goals."""

    facts: tuple[tuple[str, Row], ...]
    rules: tuple[str, ...]
    goals: tuple[str, ...]


@st.composite
def programs(draw: st.DrawFn) -> Made:
    """See the module."""
    number = st.one_of(st.integers(0, 4), st.sampled_from(LARGE)) if draw(st.booleans()) else st.integers(0, 4)
    facts: set[tuple[str, Row]] = set()
    for name, arity in FACTS.items():
        for _ in range(draw(st.integers(0, 7))):
            facts.add((name, tuple(draw(number) for _ in range(arity))))
    for _ in range(draw(st.integers(0, 5))):
        facts.add(("n", (draw(st.integers(0, 4)), draw(st.sampled_from(WORDS)))))
    known = dict(FACTS)
    named = ["n"]
    rules: list[str] = []
    for layer in range(draw(st.integers(1, 5))):
        name, arity = f"p{layer}", draw(st.integers(1, 2))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            rules.append(_aggregate(draw, name, known))
            arity = 2
        elif kind == 1:
            rules.append(_named(draw, name, named, known))
            named.append(name)
            continue
        else:
            made = [_rule(draw, name, arity, known) for _ in range(draw(st.integers(1, 2)))]
            if draw(st.booleans()):
                made.append(_rule(draw, name, arity, known, recursive=True))
            rules += made
        known[name] = arity
    goals = [f"{name}(X, N)" for name in named] + [f'{name}({draw(st.integers(0, 4))}, "a")' for name in named]
    for name, arity in known.items():
        for _ in range(2):
            terms = [draw(st.sampled_from(("X", "Y", str(draw(number))))) for _ in range(arity)]
            goals.append(f"{name}({', '.join(terms)})")
    goals.append(" & ".join(goals[-3:]))
    return Made(tuple(sorted(facts)), tuple(rules), tuple(goals))


def _rule(draw: st.DrawFn, name: str, arity: int, known: dict[str, int], recursive: bool = False) -> str:
    atoms = [_atom(draw, name, arity)] if recursive else []
    atoms += [_atom(draw, *draw(st.sampled_from(sorted(known.items())))) for _ in range(draw(st.integers(1, 2)))]
    bound = sorted({term for _, terms in atoms for term in terms if term in VARIABLES})
    term = st.sampled_from((*bound, "1")) if bound else st.just("1")
    head = [draw(term) for _ in range(arity)]
    body = [f"{predicate}({', '.join(terms)})" for predicate, terms in atoms]
    extra = draw(st.integers(0, 3))
    if extra == 1:
        other = draw(st.sampled_from(sorted(known)))
        body.append(f"~{other}({', '.join(draw(term) for _ in range(known[other]))})")
    elif extra == 2:
        body.append(f"({draw(term)} {draw(st.sampled_from(('<', '<=', '!=', '==', '>', '>=')))} {draw(term)})")
    elif extra == 3 and not recursive and bound:
        body.append(f"(S == {draw(term)} {draw(st.sampled_from('+-*'))} {draw(term)})")
        head[0] = "S"
    return _unused(f"{name}({', '.join(head)}) <= {' & '.join(body)}")


def _named(draw: st.DrawFn, name: str, named: list[str], known: dict[str, int]) -> str:
    """A rule about strings."""
    source = draw(st.sampled_from(named))
    if draw(st.integers(0, 2)) == 0:
        how = draw(st.sampled_from(("min_(N, order_by=N)", "max_(N, order_by=N)", "max_(N, order_by=(-X, N))")))
        return f"({name}[X] == {how}) <= {source}(X, N)"
    other = draw(st.sampled_from(sorted(known)))
    body = [f"{source}(X, N)", f"{other}({', '.join(['X', '_'][: known[other]])})"]
    extra = draw(st.integers(0, 2))
    word = draw(st.sampled_from(WORDS)).replace("\\", "\\\\").replace('"', '\\"')
    if extra == 1:
        body.append(f'(N {draw(st.sampled_from(("<", "<=", "!=", "==", ">", ">=")))} "{word}")')
    elif extra == 2:
        body.append(f'~{draw(st.sampled_from(named))}(X, "{word}")')
    return f"{name}(X, N) <= {' & '.join(body)}"


def _aggregate(draw: st.DrawFn, name: str, known: dict[str, int]) -> str:
    source = draw(st.sampled_from([n for n, arity in sorted(known.items()) if arity == 2]))
    how = draw(
        st.sampled_from(
            ("min_(Y, order_by=Y)", "max_(Y, order_by=(Z, Y))", "min_(Y, order_by=(-Z, Y))", "len_(Y)",
             "sum_(Z, for_each=Y)")
        )
    )  # fmt: skip
    return _unused(f"({name}[X] == {how}) <= {source}(X, Y) & (Z == X - Y * 2)")


def _atom(draw: st.DrawFn, name: str, arity: int) -> tuple[str, list[str]]:
    term = st.one_of(st.sampled_from(VARIABLES), st.integers(0, 4).map(str))
    return name, [draw(term) for _ in range(arity)]


def _unused(rule: str) -> str:
    """The rule with `_` for each variable that occurs once."""
    words = Counter(letter for letter in rule if letter in (*VARIABLES, "S"))
    return "".join("_" if words[letter] == 1 else letter for letter in rule)
