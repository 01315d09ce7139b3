"""Which policies decide: the kit's, or what the board names in their place.

    bind: {policy: {home: mine.dl}}        a file beside the board file that says so
    bind: {policy: {home: at-sender}}      a policy that a plugin offers

Interface: `policies(board, registry) -> tuple[Chosen, ...]`, in the kit's order; `Chosen.binding()` locks what is not
the kit's by its text.

May not know: what a policy decides.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from multikernel.blueprint import Binding
from multikernel.board.model import Board
from multikernel.errors import BindingError, FileError
from multikernel.files import read_bounded
from multikernel.knowledge.near import near
from multikernel.knowledge.policies import POLICIES, VOCABULARY, Policy, check, shipped
from multikernel.registry import Plugin, Registry

SUFFIX = ".dl"
MAX_BYTES = 1_000_000
"""Longest policy read; the parser refuses longer text anyway."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A policy, and how it came to decide: `name` what the board calls it, `plugin` who offers it, `named_at`
    where the board says so; all empty for the kit's own."""

    policy: Policy
    name: str = ""
    plugin: Plugin | None = None
    named_at: str = ""

    def binding(self) -> Binding:
        """The slot `policy:NAME`.  The hash is of the text, so that another one is another kernel."""
        digest = hashlib.sha256(self.policy.text.encode()).hexdigest()
        by, version = (self.plugin.distribution, self.plugin.version) if self.plugin else ("board", "")
        return Binding(f"policy:{self.policy.decides}", self.name, by, version, digest)


def policies(board: Board, registry: Registry) -> tuple[Chosen, ...]:
    """One for each thing to be decided.  Raises BindingError for a name that nobody offers, FileError for a file
    that cannot be read, KnowledgeError for one that lacks what the kit asks."""
    for decides in board.bind.policy:
        if decides not in POLICIES:
            close = near(decides, POLICIES) or tuple(POLICIES)
            at = board.spot.find_key(("bind", "policy", decides))
            raise BindingError(
                f"slot policy:{decides}: {at}: there is no policy {decides!r}; there are {', '.join(close)}",
                slot=f"policy:{decides}",
            )
    found = tuple(_choose(board, registry, decides) for decides in POLICIES)
    others = [chosen.policy for chosen in found if chosen.name]
    if others:
        kits = [chosen.policy for chosen in found if not chosen.name]
        check([*map(shipped, VOCABULARY), *kits], others)
    return found


def _choose(board: Board, registry: Registry, decides: str) -> Chosen:
    name = board.bind.policy.get(decides, "auto")
    if name == "auto":
        return Chosen(shipped(decides))
    at = board.where("bind", "policy", decides)
    if name.endswith(SUFFIX) or "/" in name:
        return Chosen(_read(board, decides, name), name, None, at)
    offered = [spec.name for spec in registry.policies if spec.decides == decides]
    if name not in offered:
        close = near(name, offered)
        text = f"slot policy:{decides}: {at}: no plugin offers a policy {name!r} that decides {decides}"
        hint = f" (did you mean {', '.join(close)}?)" if close else f"; offered: {', '.join(offered) or 'none'}"
        raise BindingError(f"{text}{hint}; a file's name ends in {SUFFIX}", slot=f"policy:{decides}")
    spec, plugin = registry.policies.get(name), registry.policies.origin(name)
    file = f"{plugin.name}/{name}{SUFFIX}" if spec.path is None else f"{plugin.name}/{spec.path.name}"
    text = spec.text if spec.path is None else _text(spec.path, file)
    return Chosen(Policy(decides, text, file), name, plugin, at)


def _read(board: Board, decides: str, name: str) -> Policy:
    mark = board.spot.find(("bind", "policy", decides))
    if mark.line == 0 or mark.file.startswith("<"):
        raise BindingError(
            f"slot policy:{decides}: {mark}: {name} is a file beside the board file, and this board is in none",
            slot=f"policy:{decides}",
        )
    path = Path(mark.file).parent / name
    return Policy(decides, _text(path, str(mark)), str(path))


def _text(path: Path, named_at: str) -> str:
    try:
        content = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise FileError(f"{named_at}: {path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise FileError(f"{named_at}: {path}: a policy has at most {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{named_at}: {path}: not UTF-8: {error.reason} at byte {error.start}") from None
