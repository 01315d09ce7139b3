"""A counterexample for a person, and for pytest.

    lines(model, violation)  a sequence diagram: a column a core, an arrow where a message is delivered, one cross where
                             it is lost, then what the core does
    steps(model, moves)      the moves as words, which `replay` takes
    test_file(protocol, report)  a test file that does them again

May not know: how moves are found, of what kind the protocol is.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.checking.machine import Machine
from multikernel.checking.plans import M, Move, Report, Violation

WIDTH = 22
"""Columns of text from a core's line to the next, if no text is longer."""

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
    labels = [_label(model, move) for move in violation.moves]
    told = [_told(move) for move in violation.moves]
    width = max(WIDTH, *(len(text) + 4 for texts in told for text in texts), 0)
    for move, label in zip(violation.moves, labels, strict=True):
        if label:
            source, target = model.channels[move.channel]
            width = max(width, -(-(len(label) + 5) // abs(source - target)))
    out = ["".join(f"core {core}".ljust(width) for core in range(model.cores)).rstrip()]
    for move, label, texts in zip(violation.moves, labels, told, strict=True):
        if label:
            out.append(_arrow(model, move, label, width))
        out += [_beside(model.cores, move.core, text, width) for text in texts]
    return [*out, f"{violation.name}: {violation.how}"]


def _label(model: Machine, move: Move) -> str:
    """What is written on the arrow of a move; "" if it has none."""
    if move.channel < 0:
        return ""
    return model.label(move.letter) + (f" ({move.kind})" if move.kind in ("drop", "duplicate") else "")


def _told(move: Move) -> list[str]:
    """What the core of a move does."""
    told = list(move.turn.told) if move.turn else []
    if move.kind.startswith("timeout"):
        told.insert(0, move.kind)
    stops = _ALONE.get(move.amid or move.kind)
    return [*told, stops] if stops else told


def _beside(cores: int, core: int, text: str, width: int) -> str:
    columns = ["|".ljust(width) for _ in range(cores)]
    columns[core] = f"* {text}".ljust(width)
    return "".join(columns).rstrip()


def _arrow(model: Machine, move: Move, label: str, width: int) -> str:
    source, target = model.channels[move.channel]
    left, right = min(source, target), max(source, target)
    row = list("".join("|".ljust(width) for _ in range(model.cores)))
    begin, end = left * width + 1, right * width
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
