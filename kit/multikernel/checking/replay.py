"""A list of steps done again, as counterexamples are written down.

    replay("two-phase", "unicast", cores=3, operations=1, steps=("begin accept", "deliver 0>1 refuse", ...))
    replay_group("consensus", cores=3, submitters=(0, 1), steps=("submit 0", "deliver 0>1", ...))

give what is violated on the way, or "" when nothing is.  A step that cannot happen any more ends the run.

May not know: how the steps were found.
"""

from __future__ import annotations

from collections.abc import Sequence

from multikernel.checking.diagram import word
from multikernel.checking.explore import Explorer
from multikernel.checking.groups import GroupExplorer
from multikernel.checking.model import Model
from multikernel.checking.peers import PeerModel
from multikernel.checking.plans import FALLS, MISHAPS, TIMEOUT, Fault, M
from multikernel.checking.trees import TreeExplorer
from multikernel.registry import Registry
from multikernel.spec import ConsistencyProtocolSpec


def replay(
    protocol: str | ConsistencyProtocolSpec, tree: str, cores: int, operations: int, steps: Sequence[str]
) -> str:
    """See the module; `protocol` is an installed one's name, or a spec.  Raises UsageError for an unknown name."""
    return _again(TreeExplorer(Model(_spec(protocol), tree, cores, operations)), steps)


def replay_group(
    protocol: str | ConsistencyProtocolSpec,
    cores: int,
    submitters: Sequence[int],
    steps: Sequence[str],
    clients: int = 0,
    reconfigure: bool = False,
) -> str:
    """The same for a protocol among equals; the rest as in `check_group`."""
    model = PeerModel(_spec(protocol), cores, submitters, clients, reconfigure)
    return _again(GroupExplorer(model), steps)


def _spec(protocol: str | ConsistencyProtocolSpec) -> ConsistencyProtocolSpec:
    return Registry.load().consistency_protocols.get(protocol) if isinstance(protocol, str) else protocol


def _again(explorer: Explorer[M], steps: Sequence[str]) -> str:
    model = explorer.model
    state = explorer.start([fault for step in steps for fault in _faults(model.channels, step)])
    for step in steps:
        move = next((move for move in explorer.moves(state) if word(model, move) == step), None)
        if move is None:
            return ""
        problem = explorer.problem(move)
        if problem is not None:
            return ": ".join(problem)
        state = move.after
    stuck = explorer.stuck(state)
    return ": ".join(stuck) if stuck else ""


def _faults(channels: Sequence[tuple[int, int]], step: str) -> list[Fault]:
    """The faults that a step needs."""
    does, _, amid = step.partition(", ")
    kind, *places = does.split()
    pairs = {f"{source}>{target}": (index, target) for index, (source, target) in enumerate(channels)}
    channel = next((pairs[place] for place in places if place in pairs), None)
    core = channel[1] if channel else int(places[-1]) if places and places[-1].isdigit() else 0
    falls = {move: fault for fault, move in FALLS.items()}
    faults: list[Fault] = []
    if kind in MISHAPS and channel:
        faults.append(Fault(kind, channel[0]))
    elif kind in falls:
        faults.append(Fault(falls[kind], core))
    elif kind == TIMEOUT:
        faults.append(Fault(TIMEOUT, core))
    if amid:
        faults.append(Fault(falls[amid.partition(" ")[0]], core))
    return faults
