"""A list of steps done again, as counterexamples are written down.

    replay("two-phase", "unicast", cores=3, operations=1, steps=("begin accept", "deliver 0>1 refuse", ...))

gives what is violated on the way, or "" when nothing is.  A step that cannot happen any more ends the run.

May not know: how the steps were found.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.checking.diagram import word
from multikernel.checking.explore import FAULTS, Explorer, Fault
from multikernel.checking.model import Model
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec


def replay(
    protocol: str | ConsistencyProtocolSpec, tree: str, cores: int, operations: int, steps: Sequence[str]
) -> str:
    """See the module; `protocol` is an installed one's name, or a spec.  Raises UsageError for an unknown name."""
    spec = Registry.load().consistency_protocols.get(protocol) if isinstance(protocol, str) else protocol
    model = Model(spec, tree, cores, operations)
    explorer = Explorer(model)
    state = explorer.start([fault for step in steps for fault in _faults(model, step)])
    for step in steps:
        move = next((move for move in explorer.moves(state) if word(model, move) == step), None)
        if move is None:
            return ""
        problem = explorer.problem(move)
        if problem is not None:
            return ": ".join(problem)
        state = move.after
    stuck = explorer.stuck(state)
    return f"progress: {stuck}" if stuck else ""


def _faults(model: Model, step: str) -> list[Fault]:
    kind, _, rest = step.partition(" ")
    place = rest.partition(",")[0].partition(" ")[0]
    pairs = {f"{source}>{target}": (index, target) for index, (source, target) in enumerate(model.channels)}
    faults: list[Fault] = []
    if kind == "stop":
        faults.append(Fault("stop", int(place)))
    elif kind in FAULTS and place in pairs:
        faults.append(Fault(kind, pairs[place][0]))
    if ", stop after" in step:
        faults.append(Fault("stop", pairs[place][1] if place in pairs else 0))
    return faults
