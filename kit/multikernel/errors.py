"""Every error the kit raises for a reason its user can act on.

Each class carries the exit code of the command line and a stable code that `mkit explain CODE`
describes.  A user's mistake is a list of `Diagnostic`s, all of a stage at once; a peer's fault
(`PeerError`) is another type than a local misuse (`LocalMisuse`).

May not know: anything else of the kit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: where it stands, what it is, what would be valid, how to mend it.

    `line` and `column` count from 1; 0 means the whole file.  `alternatives` are the nearest valid
    values, nearest first.  `source` is the offending line of the file, for display under it.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    alternatives: tuple[str, ...] = ()
    fix: str = ""
    source: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.code}: {self.message}"
        if self.alternatives:
            text += f" (did you mean {', '.join(self.alternatives)}?)"
        return f"{text}; {self.fix}" if self.fix else text


@dataclass
class MultikernelError(Exception):
    """Root of the tree.  `str()` is one line for a person, without a traceback."""

    message: str
    code: str = field(default="failure", kw_only=True)
    exit_code: int = field(default=1, init=False, repr=False)

    def __str__(self) -> str:
        return self.message


@dataclass
class UsageError(MultikernelError):
    """The command or call itself is wrong (exit 2)."""

    code: str = field(default="usage", kw_only=True)
    exit_code: int = field(default=2, init=False, repr=False)


@dataclass
class FileError(MultikernelError):
    """A file is missing, unreadable or not writable (exit 3)."""

    code: str = field(default="file", kw_only=True)
    exit_code: int = field(default=3, init=False, repr=False)


@dataclass
class BoardError(MultikernelError):
    """A board file does not describe a machine (exit 4); every mistake of the stage at once."""

    diagnostics: Sequence[Diagnostic] = ()
    code: str = field(default="board", kw_only=True)
    exit_code: int = field(default=4, init=False, repr=False)

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics)) or self.message


@dataclass
class BindingError(MultikernelError):
    """A slot of the kernel cannot be bound (exit 5); names the slot and the unmet requirements."""

    slot: str = ""
    code: str = field(default="binding", kw_only=True)
    exit_code: int = field(default=5, init=False, repr=False)


@dataclass
class KnowledgeError(MultikernelError):
    """Rule text, a fact or a query the SKB refuses; every mistake of the text at once."""

    diagnostics: Sequence[Diagnostic] = ()
    code: str = field(default="knowledge", kw_only=True)

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics)) or self.message


@dataclass
class BudgetExceeded(MultikernelError):
    """A query took more steps than it was given; no answer is known, not even a partial one."""

    code: str = field(default="budget", kw_only=True)


@dataclass
class BootTimeout(MultikernelError):
    """A platform did not bring the kernel up in time (exit 6)."""

    code: str = field(default="boot-timeout", kw_only=True)
    exit_code: int = field(default=6, init=False, repr=False)


@dataclass
class ProgramFailed(MultikernelError):
    """A program raised (exit 7); where and when it did."""

    program: str = ""
    core: int = -1
    dispatcher: str = ""
    at_ns: int = 0
    code: str = field(default="program", kw_only=True)
    exit_code: int = field(default=7, init=False, repr=False)


@dataclass
class PluginError(MultikernelError):
    """A plugin cannot be used; names its distribution.  Never takes another plugin down."""

    distribution: str = ""
    code: str = field(default="plugin", kw_only=True)


@dataclass
class PlatformError(MultikernelError):
    """A platform cannot run here: a tool is missing, or the machine refuses."""

    code: str = field(default="platform", kw_only=True)


# What happens inside a running kernel, as code on a core sees it.


@dataclass
class LocalMisuse(MultikernelError):
    """Code on this core broke a rule of the interface it called."""

    code: str = field(default="misuse", kw_only=True)


@dataclass
class CapabilityError(LocalMisuse):
    """A capability invocation the CPU driver refused."""

    code: str = field(default="capability", kw_only=True)


@dataclass
class Busy(LocalMisuse):
    """Refused at once, nothing was sent or started: the window is full.  Try again or wait for room."""

    code: str = field(default="busy", kw_only=True)


@dataclass
class PeerError(MultikernelError):
    """The other side of a channel broke the protocol or died."""

    code: str = field(default="peer", kw_only=True)
