"""`mkit explain [CODE]`: what an error code means, and what to do.  Without a code, all of them.

Codes of boards live beside the checks (`board/codes.py`), those of capability refusals beside the CPU
driver (`system/caps/refusals.py`); the rest are here.  A test finds every code in the sources.

May not know: who raises them.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated

import typer

from multikernel.cli import output
from multikernel.errors import UsageError

CODES = {
    "failure": "Something failed that has no class of its own; the message says what.  Exit 1.",
    "usage": "The command, an option or a call is wrong; `--help` shows what is valid.  Exit 2.",
    "file": "A file is missing, unreadable or not writable.  Exit 3.",
    "board": "The board file does not describe a machine; every mistake is listed with its own code.  Exit 4.",
    "binding": "A slot of the kernel cannot be bound; `mkit why BOARD SLOT` names the unmet requirements.  Exit 5.",
    "boot-timeout": "The platform did not bring the kernel up in time; cores that joined are listed.  Exit 6.",
    "program": "A program raised; its core, dispatcher and time are in the report.  Exit 7.",
    "plugin": "A plugin cannot be used; `mkit plugins doctor` lists what is wrong by distribution.  Exit 1.",
    "platform": "A platform cannot run here; `mkit plugins doctor` says what it misses.  Exit 1.",
    "misuse": "Code on a core broke a rule of the interface it called; the trace names the line.",
    "capability": "The CPU driver refused a capability invocation.",
    "busy": "A channel's window is full and nothing was sent: await room, or send again later.",
    "peer": "The other side of a channel broke the protocol or died.",
    "unknown-name": "Nothing installed has that name; the near names are listed, `mkit plugins list` shows all.",
    "unknown-code": "There is no such error code; `mkit explain` lists all.",
    "no-plugins": "No plugin is installed, not even the kit's: install the distribution, do not only copy its files.",
    "template-kind": "There is no template for that kind of plugin.",
    "plugin-name": "A plugin's name is what boards say: lower-case words joined by `-`.",
    "exists": "The folder exists, and nothing is written over; give another name or another --folder.",
    "not-writable": "A file cannot be written; the message names it and the system's reason.",
}


def codes() -> dict[str, str]:
    """Every code and its explanation, sorted by code.  One that boards and the CPU driver share has both."""
    from multikernel.board.codes import CODES as BOARD_CODES
    from multikernel.system.caps.refusals import REFUSALS

    known = {**BOARD_CODES, **CODES}
    for code, text in REFUSALS.items():
        refusal = f"The CPU driver refuses a capability invocation: {re.sub('{[^}]*}', '...', text)}."
        known[code] = f"{known[code]}  {refusal}" if code in known else refusal
    return dict(sorted(known.items()))


def complete_code(incomplete: str) -> list[str]:
    """Codes, for the shell."""
    return [code for code in codes() if code.startswith(incomplete)]


def explain(
    code: Annotated[
        str, typer.Argument(help="The word after file:line:col, or after error.", autocompletion=complete_code)
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """What an error code means, and what to do.  Without a code, all of them."""
    known = codes()
    if code and code not in known:
        near = difflib.get_close_matches(code, known)
        hint = f" (did you mean {', '.join(near)}?)" if near else "; mkit explain lists all"
        raise UsageError(f"there is no error code {code!r}{hint}", code="unknown-code")
    chosen = {code: known[code]} if code else known
    if json:
        output.emit_json({"codes": chosen})
    elif code:
        output.emit(known[code])
    else:
        output.emit_table(list(chosen.items()))
