"""The mapping database: every object on this core, and every capability to it.

    Resource     an object: a type over a range (of memory, or of numbers) and the capabilities to it
    Capability   one capability: a slot, rights, and where it is mapped
    Mdb          the resources in order; ancestors, descendants, overlaps

Invariants
- Ranges of memory are nested or disjoint, never partly overlapping: `retype` and `endow` see to it.
- Resources are kept ordered by (space, base, larger first, type, badge), so that what is made from a
  resource follows it directly: descendants are a slice, an enclosing resource is found from the
  predecessor by following `parent`.  Looking up costs O(log n + depth); a change moves O(n) pointers of
  one list, which at 10^5 capabilities is tens of microseconds.  Barrelfish keeps the same order in a tree
  (`kernel/mdb.c`); a list is the same thing in Python, only faster.
- A resource has at least one capability, except while it is being destroyed; a CNode's slots and a
  table's entries are its own and go with it.

CNode slots live here, in the kernel's own objects; page tables live in memory, and `entries` remembers
only which capability each entry belongs to.

May not know: rights, addresses of capabilities, what operations there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from multikernel.system.caps.types import TYPES, CapType, TypeInfo, may_become

Key: TypeAlias = tuple[str, int, int, int, int]


@dataclass(slots=True, eq=False)
class Mapping:
    """Where a capability is mapped: `count` entries of `table` from `index`, for memory from `offset`
    bytes into the frame with `rights`.  Each entry is of `page` bytes; 0 for a table in a table."""

    table: Resource
    index: int
    count: int
    offset: int
    rights: int
    page: int


@dataclass(slots=True, eq=False)
class Capability:
    """A capability in slot `index` of `cnode`, or (None) held by the driver itself, as a dispatcher's
    control block holds its address space.  `alive` is False once it has been deleted."""

    resource: Resource
    rights: int
    cnode: Resource | None = None
    index: int = 0
    mapping: Mapping | None = None
    alive: bool = True


@dataclass(slots=True, eq=False)
class Resource:
    """`size` bytes from `base`; outside memory `base` is the number and `size` 0.  `badge` tells apart
    EndPoints of one dispatcher.  `slots` is a CNode's content, `entries` a table's."""

    type: CapType
    base: int
    size: int
    badge: int = 0
    parent: Resource | None = None
    copies: list[Capability] = field(default_factory=list)
    slots: dict[int, Capability] = field(default_factory=dict)
    entries: dict[int, Capability] = field(default_factory=dict)

    @property
    def info(self) -> TypeInfo:
        return TYPES[self.type]

    @property
    def end(self) -> int:
        return self.base + self.size

    @property
    def key(self) -> Key:
        return (self.info.space, self.base, -self.size, self.type, self.badge)

    def encloses(self, other: Resource) -> bool:
        """Whether `other` can have been made from this: its range within, its type made of this one's."""
        return (
            self.info.space == other.info.space
            and self.base <= other.base
            and other.end <= self.end
            and may_become(self.type, other.type)
            and (self.type != other.type or self.size != other.size)
        )


class Mdb:
    """See the module."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._resources: dict[Key, Resource] = {}

    def __iter__(self) -> Iterator[Resource]:
        """Every resource, in order: ancestors before what was made from them."""
        return (self._resources[key] for key in self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key: Key) -> Resource | None:
        """The resource of exactly this key."""
        return self._resources.get(key)

    def insert(self, resource: Resource) -> None:
        """Enter a new resource, whose range is free of conflicts, and link it to its parent."""
        key = resource.key
        if key in self._resources:
            raise ValueError(f"resource {key} is already there")
        resource.parent = self.enclosing(resource)
        insort(self._keys, key)
        self._resources[key] = resource

    def remove(self, resource: Resource) -> tuple[tuple[int, int], ...]:
        """Take a resource out; its children go to its parent.  Returns the ranges (base, size) that only
        the parent covers now: none of what was made from the resource stands there."""
        free: list[tuple[int, int]] = []
        at = resource.base
        for child in self._children(resource):
            child.parent = resource.parent
            if child.base > at:
                free.append((at, child.base - at))
            at = child.end
        if at < resource.end and not self._twin(resource):
            free.append((at, resource.end - at))
        del self._keys[bisect_left(self._keys, resource.key)]
        del self._resources[resource.key]
        return tuple(free)

    def enclosing(self, resource: Resource) -> Resource | None:
        """The smallest resource `resource` can have been made from."""
        at = bisect_left(self._keys, resource.key)
        found = self._resources[self._keys[at - 1]] if at else None
        while found is not None and not found.encloses(resource):
            found = found.parent
        return found

    def descendants(self, resource: Resource) -> list[Resource]:
        """Everything made from `resource`, ancestors first."""
        first = bisect_right(self._keys, resource.key)
        last = bisect_left(self._keys, (resource.info.space, resource.end))
        found = (self._resources[key] for key in self._keys[first:last])
        return [other for other in found if resource.encloses(other)]

    def overlapping(self, space: str, base: int, end: int) -> Iterator[Resource]:
        """Every resource with a byte in base..end, ancestors before what was made from them; of several
        EndPoints of one dispatcher that begin before `base`, one."""
        at = bisect_left(self._keys, (space, base))
        before = self._resources[self._keys[at - 1]] if at else None
        around: list[Resource] = []
        while before is not None and before.info.space == space:
            if before.end > base:
                around.append(before)
            before = before.parent
        yield from reversed(around)
        while at < len(self._keys) and self._keys[at][:2] < (space, end):
            yield self._resources[self._keys[at]]
            at += 1

    def _children(self, resource: Resource) -> Iterator[Resource]:
        """Direct children, skipping over what was made from them."""
        at = bisect_right(self._keys, resource.key)
        while at < len(self._keys):
            child = self._resources[self._keys[at]]
            if child.parent is not resource:
                if child.key[:2] >= (resource.info.space, resource.end):
                    return
                at += 1
                continue
            yield child
            at = at + 1 if child.info.shared else max(at + 1, bisect_left(self._keys, (child.info.space, child.end)))

    def _twin(self, resource: Resource) -> bool:
        """Whether another object of the same type stands on the same memory."""
        return resource.info.shared and any(
            other is not resource and other.type == resource.type
            for other in self.overlapping(resource.info.space, resource.base, resource.end)
        )
