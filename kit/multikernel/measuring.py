"""Measuring a machine: `ping` over every class of pairs by every transport that serves it.

    measure(board, registry, platform, options, parameters) -> Findings

Round k binds each class to its k-th candidate, boots, and runs `ping`; what a board names stays as it is named.
So there are as many boots as the class with most candidates has, at least one.

May not know: what is measured, what is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from multikernel.assemble import assemble, know
from multikernel.board.model import Board
from multikernel.errors import BindingError
from multikernel.findings import Findings
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from multikernel.knowledge.facts import Fact
from multikernel.registry import Registry

PROGRAM = "ping"
"""What measures."""


def measure(
    board: Board,
    registry: Registry,
    platform: str,
    options: BootOptions,
    parameters: Mapping[str, int | str],
    told: Callable[[str], None] = lambda text: None,
) -> Findings:
    """What `ping` finds on `platform`, run with `parameters`; `told` hears what is about to be done.  Raises as
    `assemble` and `Multikernel`."""
    kind = registry.platforms.get(platform).kind
    candidates = _candidates(board, registry, kind)
    rounds = max((len(names) for names in candidates.values()), default=1)
    facts: dict[tuple[str, tuple[int | str, ...]], Fact] = {}
    for number in range(rounds):
        chosen = {name: names[min(number, len(names) - 1)] for name, names in candidates.items()}
        told(f"round {number + 1} of {rounds}: {', '.join(dict.fromkeys(chosen.values()))}")
        blueprint = assemble(board.with_transports(chosen), registry, kind)
        with Multikernel(blueprint, registry).boot(platform, options) as kernel:
            kernel.run(PROGRAM, **parameters)
            for fact in kernel.facts():
                facts.setdefault((fact.predicate, fact.values[:2]), fact)
    return Findings(board.name, board.machine_hash, platform, options.seed, tuple(facts.values()))


def _candidates(board: Board, registry: Registry, kind: str) -> dict[str, tuple[str, ...]]:
    """By class, every transport that serves it, the first to be bound first; a circuit through others' monitors only
    where nothing direct does, as it needs direct ones to run over.  Raises BindingError."""
    known = know(board, registry, kind)
    found: dict[str, tuple[str, ...]] = {}
    for count in board.topology().classes():
        decision = known.slots.decide(f"transport:{count.name}")
        others = () if decision.named_at else tuple(candidate.name for candidate in decision.candidates)
        direct = tuple(name for name in others if registry.transports.get(name).scope != "circuit")
        found[count.name] = tuple(dict.fromkeys((decision.chosen, *direct)))
    known.skb.close()
    if not found:
        raise BindingError(f"{board.name} has one core: there is nothing to measure", slot="transport")
    return found
