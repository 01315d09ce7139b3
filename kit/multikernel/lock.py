"""A blueprint as the lock of a kernel: read back, and what differs from it.

    read(path) -> Blueprint     raises FileError for anything but a blueprint of this kit
    check(was, now, path)       raises BindingError for what is no longer as it was locked
    differences(was, now)       the same as lines
    unlike(blueprint, registry) what is installed otherwise than the blueprint says

A lock file is the canonical text of a blueprint (`Blueprint.to_json`).  Equal bytes are the same kernel; otherwise
each difference is named once: what decided (kit, policies), the board, plugins slot by slot, then what follows.

May not know: boards, the SKB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from multikernel.blueprint import SCHEMA, Binding, Blueprint
from multikernel.errors import BindingError, FileError
from multikernel.files import read_bounded
from multikernel.registry import Plugin, Registry

MAX_BYTES = 256 << 20
"""More than a blueprint of the most cores a board can have takes."""
SUFFIX = ".lock.json"
"""A lock file is the board's name and this, where none is named."""
SHORT = 12
"""Digits of a hash that are told."""
TOLD = ("schema", "board", "board_hash", "kit", "bindings", "programs")
"""Fields told by themselves; of the others what follows from them."""


def read(path: Path) -> Blueprint:
    """The blueprint in a file.  Raises FileError: `not-a-blueprint` says what it is instead."""
    try:
        content = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}", code="file-missing") from None
    if len(content) > MAX_BYTES:
        raise _no_blueprint(path, f"larger than {MAX_BYTES >> 20} MB")
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_blueprint(path, f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _no_blueprint(path, f"its schema is not {SCHEMA}; mkit assemble -o writes one")
    try:
        blueprint = TypeAdapter(Blueprint).validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _no_blueprint(path, f"{where}: {first['msg']}") from None
    if blueprint.to_json().encode() != content:
        raise _no_blueprint(path, "written by another version of the kit, or by hand; assemble it again")
    return blueprint


def _no_blueprint(path: Path, why: str) -> FileError:
    return FileError(f"{path}: no blueprint: {why}", code="not-a-blueprint")


def check(was: Blueprint, now: Blueprint, path: str) -> None:
    """Raises BindingError, code `locked`, naming everything that is not as locked."""
    found = tuple(differences(was, now))
    if found:
        lines = "".join(f"\n  {line}" for line in found)
        raise BindingError(f"{now.board} is not as locked in {path}:{lines}", code="locked")


def differences(was: Blueprint, now: Blueprint) -> Iterator[str]:
    """What differs, a line each; nothing for equal blueprints."""
    yield from of_kit(was, now)
    if (was.board, was.board_hash) != (now.board, now.board_hash):
        yield f"board: was {was.board} {_short(was.board_hash)}, is {now.board} {_short(now.board_hash)}"
    yield from of_plugins((*was.bindings, *was.programs), (*now.bindings, *now.programs))
    before, after = asdict(was), asdict(now)
    follows = [field.name for field in fields(Blueprint) if before[field.name] != after[field.name]]
    if rest := [name for name in follows if name not in TOLD]:
        yield f"and with that: {', '.join(rest)}"


def of_kit(was: Blueprint, now: Blueprint) -> Iterator[str]:
    """The kit and its policies, as far as they differ."""
    if was.kit.version != now.kit.version:
        yield f"kit: was {was.kit.version or 'not stated'}, is {now.kit.version}"
    policies, others = dict(was.kit.policies), dict(now.kit.policies)
    for name in sorted({**policies, **others}):
        if policies.get(name) != others.get(name):
            yield f"policy {name}: was {_short(policies.get(name))}, is {_short(others.get(name))}"


def of_plugins(was: Iterable[Binding], now: Iterable[Binding]) -> Iterator[str]:
    """Plugins that differ; slots that changed alike in one line."""
    before, after = ({entry.slot: entry for entry in bindings} for bindings in (was, now))
    alike: dict[tuple[str, str], list[str]] = {}
    for slot in dict.fromkeys((*before, *after)):
        if before.get(slot) != after.get(slot):
            alike.setdefault((told(before.get(slot)), told(after.get(slot))), []).append(slot)
    for (old, new), slots in alike.items():
        yield f"{', '.join(slots)}: was {old}, is {new}"


def unlike(blueprint: Blueprint, registry: Registry) -> Iterator[str]:
    """A line for each plugin of the blueprint that is not installed as it was bound."""
    catalogues: Mapping[str, Origins] = {
        "skb": registry.skb_backends,
        "cpu-driver": registry.cpu_drivers,
        "monitor": registry.monitors,
        "transport": registry.transports,
        "consistency": registry.consistency_protocols,
        "program": registry.programs,
    }
    hashes: dict[str, str] = {}
    for binding in (*blueprint.bindings, *blueprint.programs):
        catalogue = catalogues.get(binding.slot.partition(":")[0])
        if catalogue is None:  # a policy: what it decided is decided
            continue
        if binding.plugin not in catalogue.names():
            yield f"{binding.slot}: {told(binding)} is not installed"
            continue
        plugin = catalogue.origin(binding.plugin)
        if plugin.name not in hashes:
            hashes[plugin.name] = plugin.source_hash
        now = replace(binding, distribution=plugin.distribution, version=plugin.version, hash=hashes[plugin.name])
        if now != binding:
            yield f"{binding.slot}: was {told(binding)}, is {told(now)}"


class Origins(Protocol):
    """What is installed of a kind, and from where."""

    def names(self) -> tuple[str, ...]: ...
    def origin(self, name: str) -> Plugin: ...


def told(binding: Binding | None) -> str:
    """A binding in words."""
    if binding is None:
        return "not there"
    return f"{binding.plugin} of {binding.distribution} {binding.version}, sources {_short(binding.hash)}"


def _short(digest: str | None) -> str:
    return digest[:SHORT] if digest else "none"
