"""A counterexample for a person, and for pytest.

    lines(model, violation)  a sequence diagram: a column a core, an arrow where a message is delivered, one cross where
                             it is lost, then what the core does
    steps(model, moves)      the moves as words, which `replay` takes
    test_file(protocol, report)  a test file that does them again

May not know: how moves are found, of what kind the protocol is.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.checking.explore import M, Move, Report, Violation
from multikernel.checking.machine import Machine

WIDTH = 22
"""Columns of text from a core's line to the next."""

_ALONE = {"stop": "stops", "fall": "falls", "restart": "begins anew"}


def word(model: Machine, move: Move) -> str:
    """A move as words: `begin`, `submit 1`, `deliver 0>1 refuse`, `stop 2`, `deliver 0>1, stop after 2`."""
    place = "" if move.kind == "begin" else f" {move.core}"
    if move.channel >= 0:
        place = " {}>{}".format(*model.channels[move.channel])
    turn = move.turn
    answers = "".join(" accept" if accepted else " refuse" for accepted in (turn.answers if turn else ()))
    return f"{move.kind}{place}{answers}" + (f", {move.amid} after {turn.cut}" if turn and move.amid else "")


def steps(model: Machine, moves: Sequence[Move]) -> list[str]:
    """The moves, each as words."""
    return [word(model, move) for move in moves]


def lines(model: Machine, violation: Violation) -> list[str]:
    """The diagram of a run."""
    out = ["".join(f"core {core}".ljust(WIDTH) for core in range(model.cores)).rstrip()]
    for move in violation.moves:
        if move.channel >= 0:
            label = model.label(move.letter)
            label += f" ({move.kind})" if move.kind in ("drop", "duplicate") else ""
            out.append(_arrow(model, move, label))
        told = list(move.turn.told) if move.turn else []
        if move.amid or move.kind in _ALONE:
            told.append(_ALONE[move.amid or move.kind])
        if move.kind.startswith("timeout"):
            told.insert(0, move.kind)
        out += [_beside(model.cores, move.core, text) for text in told]
    return [*out, f"{violation.name}: {violation.how}"]


def _beside(cores: int, core: int, text: str) -> str:
    columns = ["|".ljust(WIDTH) for _ in range(cores)]
    columns[core] = f"* {text}".ljust(WIDTH)
    return "".join(columns).rstrip()


def _arrow(model: Machine, move: Move, label: str) -> str:
    source, target = model.channels[move.channel]
    left, right = min(source, target), max(source, target)
    row = list("".join("|".ljust(WIDTH) for _ in range(model.cores)))
    begin, end = left * WIDTH + 1, right * WIDTH
    row[begin:end] = f" {label} ".center(end - begin, "-")
    head = "x" if move.kind == "drop" else ">" if target > source else "<"
    row[end - 1 if target > source else begin] = head
    return "".join(row).rstrip()


def test_file(protocol: str, report: Report[M]) -> str:
    """The text of a test file that fails while the violation is there; "" when the report has none."""
    violation, model = report.violation, report.model
    if violation is None:
        return ""
    told = "".join(f'    "{step}",\n' for step in steps(model, violation.moves))
    name = protocol.replace("-", "_").replace(".", "_")
    return (
        f'"""{protocol} violates {violation.name}: {violation.how}."""\n\n'
        f"from multikernel.checking import {model.replayed_by}\n\n"
        f"STEPS = (\n{told})\n\n\n"
        f"def test_{name}_keeps_{violation.name.replace('-', '_')}() -> None:\n"
        f'    found = {model.replayed_by}("{protocol}", {model.arguments()}, steps=STEPS)\n'
        '    assert found == ""\n'
    )
