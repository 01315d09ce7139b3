"""The page on design is true: its code runs, its lists are the sources', what it names is there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from multikernel import Multikernel, assemble, load_board
from multikernel.board.model import Board
from multikernel.errors import MultikernelError
from multikernel.hookspecs import Hooks
from multikernel.registry import GROUP, Registry
from multikernel.system import operations
from multikernel.system.dispatcher import Upcall, UserDispatcher
from multikernel.system.machine import Machine
from multikernel.system.operations import Operation

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "design.md").read_text()
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FACES = FENCE.findall(TEXT.partition("## The four faces")[2].partition("\n## ")[0])
FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|c|md)|(?:[\w-]+/)+)`")
PLACES = (ROOT, ROOT / "kit" / "multikernel", ROOT / "kit" / "multikernel" / "system" / "monitor")


def section(title: str) -> str:
    return TEXT.partition(f"{title}\n")[2].partition("\n## ")[0].partition("\n### ")[0]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Registry, dict[str, object]]:
    """The page's board; what is installed with the page's plugin and program; the page's names."""
    assert [language for language, _ in FACES] == ["yaml", "python", "python", "python"]
    (_, board), (_, plugin), (_, program), (_, test) = FACES
    path = tmp_path_factory.mktemp("face") / "duo.yaml"
    path.write_text(board)
    names: dict[str, object] = {"__name__": "design"}
    for code in (plugin, program, test):
        exec(compile(code, "docs/design.md", "exec"), names)
    module = type(
        "Face", (), {name: staticmethod(value) if callable(value) else value for name, value in names.items()}
    )
    registry = Registry.of(*(point.load() for point in entry_points(group=GROUP)), module)
    return load_board(str(path)), registry, names


@pytest.mark.parametrize("platform", ["sim", "host"])
def test_the_four_faces_work_together(face: tuple[Board, Registry, dict[str, object]], platform: str) -> None:
    board, registry, names = face
    blueprint = assemble(board, registry, platform)
    assert {entry.name: entry.transport for entry in blueprint.pair_classes} == {"shared:L3": "ump", "hops:1": "paired"}
    test = names["test_forgotten_pages_are_gone"]
    assert callable(test)
    with Multikernel(blueprint, registry).boot(platform) as kernel:
        if platform == "sim":
            test(kernel)
        else:
            assert kernel.run("forget").column("stale") == [-1], "no model there, as the page says"


def test_every_file_the_page_names_is_there() -> None:
    named = sorted({name for name in FILE.findall(TEXT) if "NAME" not in name})
    assert len(named) > 25
    assert [name for name in named if not any((place / name).exists() for place in PLACES)] == []


def test_every_plugin_is_on_the_page() -> None:
    listed = section("## Names and layout")
    assert [folder.name for folder in sorted((ROOT / "plugins").glob("mk_*")) if folder.name not in listed] == []


def test_every_hook_is_on_the_page() -> None:
    hooks = [name for name in vars(Hooks) if not name.startswith("_")]
    assert codes(section("## Hooks"))[0].split() == hooks


def test_the_operations_are_those_of_the_code_by_level() -> None:
    rows = [line.split("|") for line in section("### Operations").splitlines() if line.startswith("|")][2:]
    assert {row[1].strip(): sorted(codes(row[3])[0].split()) for row in rows} == {
        level: sorted(name for name, kind in vars(operations).items() if of_level(kind, level))
        for level in ("hardware", "trap", "user")
    }


def of_level(kind: object, level: str) -> bool:
    bases = (operations.Operation, operations.Trap, operations.UserLevel)
    return inspect.isclass(kind) and issubclass(kind, Operation) and kind not in bases and kind.level == level


def test_the_machine_is_the_code_s() -> None:
    table = section("## What runs on a core: three contracts").partition("**CPU driver**")[0]
    named = {name.partition("(")[0] for line in table.splitlines() if line.startswith("| `") for name in first(line)}
    assert named == {name for name in vars(Machine) if inspect.isfunction(vars(Machine)[name]) and name[0] != "_"}


def test_the_user_half_and_its_entries_are_the_code_s() -> None:
    table = section("## What runs on a core: three contracts").partition("**Dispatcher**")[2]
    signatures = [name for line in table.splitlines() if line.startswith("| `") for name in first(line)]
    assert len(signatures) == 7
    for signature in signatures:
        name, _, arguments = signature.rstrip(")").partition("(")
        parameters = list(inspect.signature(getattr(UserDispatcher, name)).parameters)[1:]
        assert parameters == [argument.strip() for argument in arguments.split(",") if argument], name
    upcalls = section("### Dispatchers, upcalls, areas")
    assert codes(upcalls)[: len(Upcall)] == ["run", "lrpc", "page_fault", "page_fault_disabled", "trap"]
    assert {entry.value for entry in Upcall} == set(codes(upcalls)[: len(Upcall)])


def first(line: str) -> list[str]:
    """The codes of the first column."""
    return codes(line.split("|")[1])


def test_every_exit_code_is_on_the_page() -> None:
    told: dict[str, int] = {}
    for line in section("## Errors and exit codes").splitlines():
        if match := re.match(r"\| (\d) / (\d) \| (.*) / (.*) \|", line):
            for code, names in ((match[1], match[3]), (match[2], match[4])):
                told.update(dict.fromkeys(codes(names), int(code)))
    assert told == {name: code for name, code in exit_codes() if name in told}
    assert {code for _, code in exit_codes()} <= {0, *told.values()}


def exit_codes(root: type[MultikernelError] = MultikernelError) -> Iterable[tuple[str, int]]:
    yield root.__name__, root("").exit_code
    for kind in root.__subclasses__():
        yield from exit_codes(kind)


def test_the_rules_of_who_may_not_know_whom_are_the_linter_s() -> None:
    contracts = (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")
    rows = section("### Who may not know whom").count("| import-linter |")
    assert rows == contracts - 1, "one row holds two contracts"
