"""Loading the C half of a plugin that also has a Python one.

    load_native("mk_sim", "_engine") -> Native     the module, or None and why

A library is refused when it was not compiled from the source beside it, as an edited C file would silently run the
old code.  `MKIT_NO_C=1` forces the Python half, `MKIT_REQUIRE_C=1` makes needing it an error.

May not know: what any module does.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from multikernel.errors import PlatformError


class Native(NamedTuple):
    """`module` is None where the Python half has to do; `finding` says what was found, for `mkit plugins doctor`."""

    module: ModuleType | None
    finding: str


def load_native(package: str, name: str) -> Native:
    """The extension `name` of plugin package `package`, which holds SOURCE_HASH of the source it was made from."""
    if os.environ.get("MKIT_NO_C") == "1":
        return Native(None, "MKIT_NO_C=1")
    try:
        module = import_module(f"{package}.{name}")
    except ImportError as error:
        return Native(None, str(error))
    digest: str = module.SOURCE_HASH
    source = Path(str(module.__file__)).with_name(f"{name}.c")
    parts = [source, *sorted(source.parent.glob(f"{name}_*.h"))]
    if source.exists() and hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest() != digest:
        return Native(None, f"{name}.c has changed since it was compiled; install the kit again")
    return Native(module, f"{package}.{name}, source {digest[:12]}")


def require(found: Native, what: str) -> None:
    """Raises PlatformError when the Python half would be used although MKIT_REQUIRE_C=1."""
    if found.module is None and os.environ.get("MKIT_REQUIRE_C") == "1":
        raise PlatformError(f"MKIT_REQUIRE_C=1, but {what} would run without its C extension: {found.finding}")
