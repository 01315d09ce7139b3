"""The registry: good plugins are found by kind and name, bad ones are told apart and hurt nobody."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multikernel.errors import PluginError, UsageError
from multikernel.registry import Registry

HEAD = """
from multikernel.hookspecs import hookimpl
from multikernel.spec import TransportSpec
multikernel_api = 1
"""
GOOD = (
    HEAD
    + """
@hookimpl
def transports():
    yield TransportSpec("zz-good", "A good one.", factory=object)
    yield TransportSpec("aa-good", "Another.", factory=object)
"""
)

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution `name` 1.5 with one plugin module of that source, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def install(name: str, source: str) -> None:
        module = name.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[multikernel]\n{module} = {module}\n")
        importlib.invalidate_caches()

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def problems_of(registry: Registry, distribution: str) -> list[str]:
    return [str(problem) for problem in registry.problems if problem.distribution == distribution]


def test_a_good_plugin_is_found_by_name_with_its_origin(install: Install) -> None:
    install("good", GOOD)
    registry = Registry.load()
    assert problems_of(registry, "good") == []
    assert registry.transports.get("zz-good").summary == "A good one."
    origin = registry.transports.origin("zz-good")
    assert (origin.name, origin.distribution, origin.version) == ("good", "good", "1.5")
    names = [spec.name for spec in registry.transports]
    assert names == sorted(names)
    assert {"aa-good", "zz-good"} <= set(names)


BAD = {
    "raises on import": (
        "x = 1\nimport no_such_module_anywhere\n",
        "does not import: ModuleNotFoundError: No module named 'no_such_module_anywhere' (bad.py:2)",
    ),
    "raises on import, oddly": (
        "raise RuntimeError('two\\nlines')",
        "does not import: RuntimeError: two lines (bad.py:1)",
    ),
    "does not parse": ("def f(:\n", "does not import: SyntaxError: invalid syntax (bad.py, line 1)"),
    "lacks the API version": ("", "lacks multikernel_api; say multikernel_api = 1 in its __init__"),
    "speaks another API": (GOOD + "multikernel_api = 2", "speaks plugin API 2; this kit speaks 1"),
    "registers nothing": (
        HEAD + "def transports(): yield 1",
        "registers nothing; mark its hooks with multikernel.hookspecs.hookimpl",
    ),
    "an unknown hook": (
        HEAD + "@hookimpl\ndef transport(): yield 1",
        "implements transport, which is no hook; did you mean transports?",
    ),
    "a hook with parameters": (
        HEAD + "@hookimpl\ndef transports(board): yield 1",
        "does not register: PluginValidationError: Plugin 'bad:bad' for hook 'transports' hookimpl definition: "
        "transports(board) Argument(s) {'board'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "lacks a field": (
        HEAD + "@hookimpl\ndef transports(): yield TransportSpec('x', factory=object)",
        "hook transports: raised TypeError: TransportSpec.__init__() missing 1 required positional argument: 'summary' "
        "(bad.py:6)",
    ),
    "a field too many": (
        HEAD + "@hookimpl\ndef transports(): yield TransportSpec('x', 'y', factory=object, speed=1)",
        "hook transports: raised TypeError: TransportSpec.__init__() got an unexpected keyword argument 'speed' "
        "(bad.py:6)",
    ),
    "an empty summary": (
        HEAD + "@hookimpl\ndef transports(): yield TransportSpec('x', ' ', factory=object)",
        "hook transports: TransportSpec('x'): summary must be one line of text",
    ),
    "a name no board can say": (
        HEAD + "@hookimpl\ndef transports(): yield TransportSpec('My Ring', 'x', factory=object)",
        "hook transports: TransportSpec('My Ring'): name must be lower-case words joined by '-', '_' or '.'",
    ),
    "a factory that is none": (
        HEAD + "@hookimpl\ndef transports(): yield TransportSpec('x', 'y', factory=None)",
        "hook transports: TransportSpec('x'): factory must be callable",
    ),
    "another type": (
        HEAD + "@hookimpl\ndef transports(): yield 'ump'",
        "hook transports: gave str 'ump', not TransportSpec",
    ),
    "nothing to iterate": (
        HEAD + "@hookimpl\ndef transports(): return 7",
        "hook transports: gave 7; yield specs, or return a list of them",
    ),
    "raises half-way": (
        GOOD + "    raise OSError('disk')",
        "hook transports: raised OSError: disk (bad.py:10)",
    ),
    "the same name twice": (
        GOOD + "    yield TransportSpec('zz-good', 'Again.', factory=object)",
        "hook transports: TransportSpec('zz-good'): the name is given twice",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_plugin_is_named_and_takes_nothing_down(install: Install, case: str) -> None:
    source, message = BAD[case]
    install("bad", source)
    install("good", GOOD)
    registry = Registry.load()
    assert problems_of(registry, "bad") == [f"bad 1.5: plugin 'bad' {message}"]
    assert problems_of(registry, "good") == []
    assert registry.transports.origin("zz-good").distribution == "good"
    assert "bad" not in [plugin.name for plugin in registry.plugins]
    assert "bad" not in [plugin.distribution for _, _, plugin in registry.specs()]


def test_every_fault_of_a_plugin_is_told_at_once(install: Install) -> None:
    install("bad", HEAD + "@hookimpl\ndef transports(): return [TransportSpec('X', '', factory=1), 5]")
    faults = [
        "TransportSpec('X'): name must be lower-case words joined by '-', '_' or '.'",
        "TransportSpec('X'): summary must be one line of text",
        "TransportSpec('X'): factory must be callable",
        "gave int 5, not TransportSpec",
    ]
    assert problems_of(Registry.load(), "bad") == [f"bad 1.5: plugin 'bad' hook transports: {f}" for f in faults]


def test_of_two_that_claim_a_name_the_first_distribution_keeps_it(install: Install) -> None:
    install("later", GOOD)
    install("early", GOOD)
    registry = Registry.load()
    assert registry.transports.origin("zz-good").distribution == "early"
    assert problems_of(registry, "early") == []
    assert problems_of(registry, "later") == [
        "later 1.5: plugin 'later' hook transports: TransportSpec('zz-good'): the name is taken by early",
        "later 1.5: plugin 'later' hook transports: TransportSpec('aa-good'): the name is taken by early",
    ]


def test_no_plugin_takes_a_name_from_the_kit(install: Install) -> None:
    own = Registry.load()
    kit = next(
        spec.name for spec in own.transports if own.transports.origin(spec.name).distribution == "multikernel-kit"
    )
    install("aaa", GOOD.replace("zz-good", kit))
    registry = Registry.load()
    assert registry.transports.origin(kit).distribution == "multikernel-kit"
    assert problems_of(registry, "aaa") == [
        f"aaa 1.5: plugin 'aaa' hook transports: TransportSpec('{kit}'): the name is taken by multikernel-kit"
    ]


def test_an_unknown_name_lists_the_near_ones_and_the_broken(install: Install) -> None:
    install("good", GOOD)
    install("bad", "")
    with pytest.raises(UsageError) as caught:
        Registry.load().transports.get("zz-goof")
    assert str(caught.value).startswith("there is no transport 'zz-goof' (did you mean zz-good")
    assert str(caught.value).endswith("; problems with plugins: 1, see mkit plugins doctor")


def test_the_kits_own_plugins_have_no_problem() -> None:
    assert [str(problem) for problem in Registry.load().problems if problem.distribution == "multikernel-kit"] == []


def test_plugins_in_memory_register_without_entry_points() -> None:
    plugin = module_of(GOOD)
    registry = Registry.of(plugin)
    assert registry.transports.names() == ("aa-good", "zz-good")
    assert len(registry.platforms) == 0
    assert registry.transports.origin("aa-good").source_hash == ""


def test_c_sources_that_are_not_there_are_told(tmp_path: Path) -> None:
    source = HEAD + "@hookimpl\ndef transports(): yield TransportSpec('x', 'y', factory=object, metal=('x.c', 'y.c'))"
    folder = tmp_path / "mk_x"
    (folder / "metal").mkdir(parents=True)
    (folder / "metal" / "x.c").touch()
    with pytest.raises(PluginError, match=r"TransportSpec\('x'\): metal names y\.c, which is not in mk_x/metal$"):
        Registry.of(module_of(source, str(folder / "__init__.py")))
    (folder / "metal" / "y.c").touch()
    assert Registry.of(module_of(source, str(folder / "__init__.py"))).transports.get("x").metal == ("x.c", "y.c")


def test_a_bad_plugin_in_memory_raises() -> None:
    with pytest.raises(PluginError, match="in-memory 0: plugin 'plugin' speaks plugin API 9; this kit speaks 1"):
        Registry.of(module_of(GOOD + "multikernel_api = 9"))


def test_the_hash_of_a_plugin_covers_what_people_write_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    (folder / "metal").mkdir(parents=True)
    (folder / "__init__.py").write_text(GOOD)
    (folder / "metal" / "ring.c").write_text("int x;")

    def hash_now() -> str:
        module = module_of(GOOD, str(folder / "__init__.py"))
        return Registry.of(module).transports.origin("zz-good").source_hash

    first = hash_now()
    assert len(first) == 64
    (folder / "_ring.abi3.so").write_bytes(b"compiled")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert hash_now() == first
    (folder / "metal" / "ring.c").write_text("int y;")
    second = hash_now()
    (folder / "metal" / "ring.c").rename(folder / "metal" / "line.c")
    assert len({first, second, hash_now()}) == 3


def module_of(source: str, file: str | None = None) -> object:
    """A module made in memory."""
    module = type(sys)("plugin")
    if file is not None:
        module.__file__ = file
    exec(compile(source, file or "<plugin>", "exec"), module.__dict__)
    return module
