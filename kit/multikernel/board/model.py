"""The board file as pydantic models: schema `board/1`.

    Board.topology() -> Topology     the resolved view; made once
    Board.bindings() -> ...          the bind section, flat
    Board.where(*path) -> str        `file:line:column` of a value
    Board.hash                       over the resolved content

Invariants: a Board that `loader.load_board` returned has passed the reference checks.
May not know: YAML, plugins, what a slot may be bound to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Discriminator, Field, PrivateAttr, Tag

from multikernel.board.cores import CoreRow, GroupRow, IslandRow, KindRow, NodeRow, ProvenanceRow, Section
from multikernel.board.marks import Mark, Spot
from multikernel.board.topology import Topology
from multikernel.board.units import Count, Flag, Name, Positive, Text
from multikernel.board.wires import (
    ChannelRow,
    ClassName,
    DeviceRow,
    DistanceRow,
    LatencySection,
    LinkRow,
    NotifyRow,
    RegionRow,
    SpaceRow,
)


def _one_or_each(value: object) -> str:
    return "each" if isinstance(value, dict) else "one"


Choice = Annotated[
    Annotated[Name, Tag("one")] | Annotated[dict[ClassName, Name], Tag("each")], Discriminator(_one_or_each)
]
"""One plugin for all, or one for each named class, kind or object; `auto` leaves it to the SKB."""


class PlacementRow(Section):
    """Drivers placed all at once: at most `capacity` on a core, and devices that share none `apart`."""

    capacity: Positive | None = None
    apart: tuple[tuple[Name, Name], ...] = ()


class BindSection(Section):
    """What the board fixes of the kernel, slot by slot.  `transport` is one name or one for each pair
    class; `cpu-driver` for each kind; `consistency` for each replicated object.  `driver` names the core that runs
    a device's driver, `interrupt` the one that takes an interrupt (`nic0:2`) or all of a device (`nic0`); `policy`
    what decides instead of one of the kit's policies: a file beside this one, or a policy of a plugin."""

    monitor: Name = "auto"
    transport: Choice = "auto"
    cpu_driver: Choice = Field(default="auto", alias="cpu-driver")
    consistency: Choice = "auto"
    skb: Name = "auto"
    driver: dict[Name, Count] = Field(default_factory=dict)
    interrupt: dict[ClassName, Count] = Field(default_factory=dict)
    placement: PlacementRow | None = None
    policy: dict[Name, Text] = Field(default_factory=dict)


class Board(Section):
    """A machine.  Regions without spaces lie in the space `phys`."""

    schema_id: Literal["board/1"] = Field(alias="schema")
    name: Name
    summary: Text
    provenance: tuple[ProvenanceRow, ...] = ()
    virtualized: Flag = False
    kinds: Annotated[dict[Name, KindRow], Field(min_length=1)]
    cores: Annotated[tuple[CoreRow, ...], Field(min_length=1)]
    groups: tuple[GroupRow, ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    regions: Annotated[tuple[RegionRow, ...], Field(min_length=1)]
    spaces: dict[Name, SpaceRow] = Field(default_factory=dict)
    coherence: tuple[IslandRow, ...] = ()
    distances: tuple[DistanceRow, ...] = ()
    links: tuple[LinkRow, ...] = ()
    notify: tuple[NotifyRow, ...] = ()
    devices: tuple[DeviceRow, ...] = ()
    channels: tuple[ChannelRow, ...] = ()
    latency: LatencySection | None = None
    bind: BindSection = BindSection.model_validate({})
    boot: tuple[Name, ...] = ()

    _spot: Spot | None = PrivateAttr(default=None)

    def topology(self) -> Topology:
        """The resolved view, made at the first call."""
        return self._topology

    @cached_property
    def _topology(self) -> Topology:
        from multikernel.board.resolve import resolve

        return resolve(self)

    def bindings(self) -> tuple[tuple[str, str], ...]:
        """(slot, plugin name or `auto`), e.g. ("monitor", "auto"), ("transport:shared:L3", "ump"),
        ("consistency:shootdown", "auto").  A bare slot is the rule for all its members."""
        flat: list[tuple[str, str]] = []
        for slot, choice in self.bind.model_dump(by_alias=True, exclude=_NOT_PLUGINS).items():
            if isinstance(choice, str):
                flat.append((slot, choice))
            else:
                flat.extend((f"{slot}:{name}", plugin) for name, plugin in sorted(choice.items()))
        return tuple(flat)

    def place(self, spot: Spot) -> None:
        """Say where the values were written; for the loader."""
        self._spot = spot

    @property
    def spot(self) -> Spot:
        """Where its values were written; nowhere for a board not read from a file."""
        return self._spot or Spot(Mark(self.name, 0, 0))

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a value, e.g. where("coherence", 0); the nearest that was written when
        the value itself was not.  Empty for a board not read from a file."""
        return str(self._spot.find(path)) if self._spot else ""

    def with_transports(self, chosen: Mapping[str, str]) -> Board:
        """The same machine with a transport named for each of these classes; other classes keep theirs."""
        content = self.model_dump(mode="json", by_alias=True)
        named = content["bind"]["transport"]
        rest = named if isinstance(named, dict) else {}
        content["bind"]["transport"] = {**rest, **chosen}
        board = Board.model_validate(content)
        if self._spot is not None:
            board.place(self._spot)
        return board

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the resolved content, in hex; layout, comments and overlays do not count."""
        return _digest(self.model_dump(mode="json", by_alias=True))

    @cached_property
    def machine_hash(self) -> str:
        """As `hash`, of what describes the machine alone: not how it is called, bound and booted."""
        return _digest(self.model_dump(mode="json", by_alias=True, exclude=_NOT_THE_MACHINE))


_NOT_PLUGINS = {"driver", "interrupt", "placement", "policy"}
_NOT_THE_MACHINE = {"schema_id", "name", "summary", "provenance", "bind", "boot"}


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
