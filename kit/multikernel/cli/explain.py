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
    "bad-node": "The memory server has no memory on that node; its nodes are listed.",
    "bad-region": "A region given to a memory server overlaps another, or is not in pages of 4 KiB.",
    "double-free": "Memory was given back to a memory server that has it already.",
    "not-ours": "Memory was given back to a memory server that it did not come from.",
    "unknown-name": "Nothing installed has that name; the near names are listed, `mkit plugins list` shows all.",
    "unknown-slot": "The board has no such slot; the near ones are listed, `mkit assemble` shows all.  Exit 2.",
    "unknown-code": "There is no such error code; `mkit explain` lists all.",
    "no-plugins": "No plugin is installed, not even the kit's: install the distribution, do not only copy its files.",
    "template-kind": "There is no template for that kind of plugin.",
    "plugin-name": "A plugin's name is what boards say: lower-case words joined by `-`.",
    "exists": "The folder exists, and nothing is written over; give another name or another --folder.",
    "knowledge": "Rule text, a fact or a query that the knowledge base refuses; each mistake has its own code.",
    "budget": "A query took more steps than it was given; no answer is known.  Ask less, or raise the budget.",
    "fault": "A fault that the machine cannot have, or that is not written as docs/faults.md says.  Exit 2.",
    "engine": "Code on a simulated core raised outside any program; the cause is chained, -vvv shows it.",
    "violated": "`mkit check` found a run in which a protocol does not keep what it promises; it is printed.  Exit 1.",
    "unexplored": "The budget of `mkit check` was over before all was explored; raise it, or ask for less.  Exit 1.",
    "locked": "What is bound is not what the lock file says: each difference is listed; `assemble -o` locks anew.",
    "not-a-blueprint": "The file is no blueprint as this version of the kit writes it; `mkit assemble -o FILE` does.",
    "no-image": "The platform boots no image, or several do and none was named; `mkit plugins list` shows them.",
    "no-findings": "The file holds no facts of a machine as `mkit measure` and `boot --facts` write them.",
    "other-machine": "The facts were found on a board whose hardware is described differently; measure this one.",
    "not-writable": "A file cannot be written; the message names it and the system's reason.",
}

RULES = {
    "aggregate": "An aggregate is min_, max_, sum_ or len_ of one named variable, with order_by or for_each.",
    "arity": "A predicate has another number of columns than the atom has terms; `mkit skb schema` shows them.",
    "atom": "An atom is a lower-case predicate and its terms: p(X, 3).",
    "bare-comparison": "Python binds & closer than <: each comparison stands in parentheses of its own.",
    "bare-fact": "A fact is written + p(1, 2).",
    "bare-head": "A head f[X] == ... stands in parentheses.",
    "bare-word": "A variable begins with a capital letter, a string stands in quotes.",
    "comparison": "The comparisons are ==, !=, <, <=, >, >=; f[X] is compared by == alone.",
    "condition": "A condition is p(X), ~p(X) or a comparison in parentheses.",
    "conjunction": "Conditions are joined by &.",
    "constant": "A constant is an integer or a string.",
    "derived-fact": "The predicate holds facts; a rule cannot derive it.",
    "disjunction": "There is no or: write one rule for each alternative.",
    "fact": "A fact has values alone, no variables.",
    "fact-type": "A value is not of its column's type.",
    "head": "A head is p(X, ...) or (f[X, ...] == ...).",
    "negation": "Negation is ~ before an atom.",
    "not-a-rule": "A statement is head <= body, or + fact.",
    "one-condition": "A condition is one conjunction, not several statements.",
    "operator": "Arithmetic is +, - and *: backends would round anything else differently.",
    "policy-clash": "Two policies define one predicate, and rules of one name add up; rename it in the board's own.",
    "policy-lacks": "A policy must define what the kit asks of it; docs/skb.md lists the predicates by policy.",
    "recursion": "A predicate may call itself once, first in the body, and make no new numbers: so that rules end.",
    "sum": "for_each must tell rows apart, or equal values would count once.",
    "syntax": "The text is not Python's syntax, on which that of rules is built.",
    "term": "A term is a variable, an integer or a string; arithmetic stands in comparisons.",
    "tie": "The order leaves the choice open between rows; add a variable to order_by that tells them apart.",
    "too-long": "The rule text is longer than is read.",
    "type": "A variable or value is used as integer and as string.",
    "unknown-predicate": "No fact or rule has that predicate; `mkit skb schema` lists them.",
    "unsafe": "A variable is not bound by an atom of the body: its values could not be listed.",
    "unstratified": "A predicate depends on its own negation or aggregate.",
    "used-once": "A variable that occurs once is a slip or is not needed: write _.",
}
"""Mistakes in rule text (`knowledge/rules.py`, `check.py`)."""


def codes() -> dict[str, str]:
    """Every code and its explanation, sorted by code.  One that two parts of the kit share has both."""
    from multikernel.board.codes import CODES as BOARD_CODES
    from multikernel.system.caps.refusals import REFUSALS

    lead = "The CPU driver refuses a capability invocation"
    refusals = {code: f"{lead}: {re.sub('{[^}]*}', '...', text)}." for code, text in REFUSALS.items()}
    known: dict[str, str] = {}
    for table in (CODES, BOARD_CODES, RULES, refusals):
        for code, text in table.items():
            known[code] = f"{known[code]}  {text}" if code in known else text
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
