"""Programs made by hypothesis: rule text, facts and goals, most of which pass the checker."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st

from multikernel.knowledge.facts import Row

VARIABLES = ("X", "Y", "Z", "W")
FACTS = {"e": 2, "f": 2, "u": 1}


@dataclass(frozen=True)
class Made:
    """`facts` of e/2, f/2, u/1 (integers), rules in the order of their layers, and goals."""

    facts: tuple[tuple[str, Row], ...]
    rules: tuple[str, ...]
    goals: tuple[str, ...]


@st.composite
def programs(draw: st.DrawFn) -> Made:
    number = st.integers(0, 4)
    facts = {
        (name, tuple(draw(number) for _ in range(arity)))
        for name, arity in FACTS.items()
        for _ in range(draw(st.integers(0, 7)))
    }
    known = dict(FACTS)
    rules: list[str] = []
    for layer in range(draw(st.integers(1, 5))):
        name, arity = f"p{layer}", draw(st.integers(1, 2))
        if draw(st.integers(0, 3)) == 0:
            rules.append(_aggregate(draw, name, known))
            arity = 2
        else:
            made = [_rule(draw, name, arity, known) for _ in range(draw(st.integers(1, 2)))]
            if draw(st.booleans()):
                made.append(_rule(draw, name, arity, known, recursive=True))
            rules += made
        known[name] = arity
    goals: list[str] = []
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
