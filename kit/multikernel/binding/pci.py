"""Addresses for the windows (BARs) of PCI functions: where in the apertures of its bridge each one lies.

Which apertures a window may lie in, and which is the better, is policy (`knowledge/policies/pci.dl`); rules cannot
pack, so this does: the largest window first, each at the lowest address that is a multiple of its size, in the
best aperture with room; where one finds none, those before it move on.  Sizes are powers of two, so within one
aperture largest first is never worse than another order; between apertures it may have to try.

Interface: `pack(windows, apertures) -> tuple[Placed, ...]`; raises NoRoom.

May not know: the SKB, boards, what a function is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TRIES = 20_000
"""Positions tried before giving up; beyond it a packing may exist that was not found."""


@dataclass(frozen=True, slots=True)
class Window:
    """`size` bytes, a power of two, for one BAR of a function; `apertures` it may lie in, the best first."""

    device: str
    bar: int
    size: int
    apertures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """`size` bytes from `base`."""

    base: int
    size: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A window at `base`, in that aperture."""

    window: Window
    aperture: int
    base: int


class NoRoom(Exception):
    """No place was found; `window` is the first in order of packing that has none, `complete` says that there
    is none (and not only that none was found in `TRIES`)."""

    def __init__(self, window: Window, complete: bool) -> None:
        super().__init__(window.device, window.bar)
        self.window, self.complete = window, complete


def pack(windows: Sequence[Window], apertures: Sequence[Span]) -> tuple[Placed, ...]:
    """A place for each window, in the order given.  No two overlap.  Raises NoRoom."""
    order = sorted(windows, key=lambda window: (-window.size, len(window.apertures), window.device, window.bar))
    for window in order:
        if window.size & (window.size - 1):
            raise ValueError(f"a window of {window.size} bytes")
    free: list[list[Span]] = [[aperture] for aperture in apertures]
    choices: list[int] = [0] * len(order)
    undo: list[tuple[int, list[Span]]] = []
    placed: list[Placed] = []
    deepest, tries, at = 0, 0, 0
    while at < len(order):
        window = order[at]
        deepest = max(deepest, at)
        found = False
        while choices[at] < len(window.apertures) and not found:
            aperture = window.apertures[choices[at]]
            choices[at] += 1
            tries += 1
            base = _lowest(free[aperture], window.size)
            if base is not None and not _same_as_before(order, placed, at, aperture):
                undo.append((aperture, free[aperture]))
                free[aperture] = _without(free[aperture], base, window.size)
                placed.append(Placed(window, aperture, base))
                found = True
        if found:
            at += 1
        elif at == 0 or tries > TRIES:
            raise NoRoom(order[deepest], at == 0)
        else:
            choices[at] = 0
            at -= 1
            placed.pop()
            aperture, before = undo.pop()
            free[aperture] = before
    at_of = {(entry.window.device, entry.window.bar): entry for entry in placed}
    return tuple(at_of[window.device, window.bar] for window in windows)


def _same_as_before(order: Sequence[Window], placed: Sequence[Placed], at: int, aperture: int) -> bool:
    """Windows alike are placed in the order of their apertures: exchanging two of them is nothing new."""
    if at == 0:
        return False
    last, window = placed[-1], order[at]
    alike = (last.window.size, last.window.apertures) == (window.size, window.apertures)
    return alike and window.apertures.index(aperture) < window.apertures.index(last.aperture)


def _lowest(free: Sequence[Span], size: int) -> int | None:
    """The least multiple of `size` from which `size` bytes are free."""
    for span in free:
        base = -(-span.base // size) * size
        if base + size <= span.base + span.size:
            return base
    return None


def _without(free: Sequence[Span], base: int, size: int) -> list[Span]:
    """What is left, by address."""
    left: list[Span] = []
    for span in free:
        if span.base <= base < span.base + span.size:
            parts = (Span(span.base, base - span.base), Span(base + size, span.base + span.size - base - size))
            left.extend(part for part in parts if part.size)
        else:
            left.append(span)
    return left
