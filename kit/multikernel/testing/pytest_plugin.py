"""The pytest plugin: a booted kernel as a fixture.

    @pytest.mark.kernel("paper-8x4-amd")
    def test_ping(kernel):
        assert kernel.run("ping", rounds=10).rows

    kernel(board, ..., platform=..., requires=..., seed=..., timeout=..., faults=..., jitter=...)
        board      one or more names or paths; the test runs on each
        platform   a name or several; else --mk-platform, else sim
        requires   a goal in the rule language, e.g. "core(C, K) & kind(K, 'armv7-r')": skipped on a board
                   where it has no answer
        seed       of all that is drawn; else --mk-seed, else 0
        timeout    seconds a boot or a program may take, on the simulator in virtual time; else 60
        faults     on the simulator: one or several, as `mkit boot --fault` takes them
        jitter     on the simulator: nanoseconds that a line of a channel is seen late at most; else 0

A platform that cannot run here skips the test; one asked for by --mk-platform fails it.  Each test has a
kernel of its own, powered off after it, so tests may run under xdist.  A failed test says how to repeat it.

Invariant: importing this imports nothing but pytest; the kit is loaded when the fixture is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from multikernel.blueprint import Blueprint
    from multikernel.kernel import Multikernel
    from multikernel.registry import Registry

MARKER = "kernel"
WORDS = ("platform", "requires", "seed", "timeout", "faults", "jitter")
PLATFORM, SEED, TIMEOUT = "sim", 0, 60
SHOWN = 20
"""How many of the last events a failed test shows."""
WIDTH = 160
"""Characters of each."""


class Wanted(NamedTuple):
    """What one test asks for.  `asked` is whether the command line chose the platform."""

    board: str
    platform: str
    requires: str
    seed: int
    timeout_ns: int
    asked: bool
    faults: tuple[str, ...]
    jitter_ns: int

    def __str__(self) -> str:
        return f"{self.board}-{self.platform}"


_BOOTED = pytest.StashKey["tuple[Wanted, Multikernel]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("multikernel")
    group.addoption("--mk-platform", metavar="NAME", help="where tests that name no platform boot their kernels")
    group.addoption("--mk-seed", type=int, metavar="N", help="seed of tests that name none")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "kernel(board, ..., platform=, requires=, seed=, timeout=, faults=, jitter=): what the fixture `kernel` boots",
    )


def pytest_report_header(config: pytest.Config) -> str:
    platform: str = config.getoption("--mk-platform") or PLATFORM
    return f"multikernel-kit {version('multikernel-kit')}: platform {platform}, seed {_seed(config)}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker(MARKER)
    if MARKER in metafunc.fixturenames and marker is not None:
        wanted = _wanted(marker, metafunc.config, metafunc.definition.nodeid)
        metafunc.parametrize(MARKER, wanted, indirect=True, ids=str)


@pytest.fixture(scope="session")
def multikernel_blueprints() -> dict[tuple[str, str], Blueprint]:
    """What the session has assembled, by board and platform."""
    return {}


@pytest.fixture
def kernel(
    request: pytest.FixtureRequest, multikernel_blueprints: dict[tuple[str, str], Blueprint]
) -> Iterator[Multikernel]:
    """The kernel the marker asks for, up."""
    wanted: object = getattr(request, "param", None)
    if not isinstance(wanted, Wanted):
        pytest.fail("the fixture `kernel` needs a marker: @pytest.mark.kernel('paper-8x4-amd')", pytrace=False)
    from multikernel.errors import MultikernelError, PlatformError
    from multikernel.faults import parse
    from multikernel.interfaces import BootOptions
    from multikernel.kernel import Multikernel
    from multikernel.registry import Registry

    registry = Registry.load()
    try:
        booted = Multikernel(_blueprint(wanted, registry, multikernel_blueprints), registry)
        request.node.stash[_BOOTED] = (wanted, booted)
        options = BootOptions(
            seed=wanted.seed,
            timeout_ns=wanted.timeout_ns,
            faults=tuple(map(parse, wanted.faults)),
            jitter_ns=wanted.jitter_ns,
        )
        booted.boot(wanted.platform, options)
    except PlatformError as error:
        if wanted.asked:
            pytest.fail(f"platform {wanted.platform} cannot run here: {error}", pytrace=False)
        pytest.skip(f"platform {wanted.platform} cannot run here: {error}")
    except MultikernelError as error:
        pytest.fail(f"{wanted.board} on {wanted.platform}: {error.code}: {error}", pytrace=False)
    try:
        yield booted
    finally:
        booted.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    booted = item.stash.get(_BOOTED, None)
    if report.failed and booted is not None:
        wanted, kernel = booted
        lines = [f"... {len(kernel.events) - SHOWN} before"] if len(kernel.events) > SHOWN else []
        for event in kernel.events[-SHOWN:]:
            lines.append(str(event)[:WIDTH])
            lines += getattr(event, "trace", "").splitlines()
        struck = "".join(f" --fault '{fault}'" for fault in wanted.faults)
        struck += f" --jitter {wanted.jitter_ns}" if wanted.jitter_ns else ""
        lines.append(f"again: mkit boot {wanted.board} --platform {wanted.platform} --seed {wanted.seed}{struck}")
        report.sections.append(("multikernel events", "\n".join(lines)))
    return report


def _seed(config: pytest.Config) -> int:
    given: int | None = config.getoption("--mk-seed")
    return SEED if given is None else given


def _wanted(marker: pytest.Mark, config: pytest.Config, test: str) -> list[Wanted]:
    """What the marker asks for, a test each.  Raises pytest.UsageError for a marker that makes no sense."""

    def refuse(text: str) -> pytest.UsageError:
        return pytest.UsageError(f"{test}: marker kernel{marker.args}: {text}")

    for name in marker.kwargs:
        if name not in WORDS:
            from difflib import get_close_matches

            near = get_close_matches(name, WORDS)
            hint = f" (did you mean {', '.join(near)}?)" if near else ""
            raise refuse(f"takes no {name!r}{hint}; it takes: {', '.join(WORDS)}")
    boards = marker.args
    if not boards or not all(isinstance(board, str) for board in boards):
        raise refuse("name one or more boards")
    chosen: str | None = config.getoption("--mk-platform")
    given: object = marker.kwargs.get("platform") or chosen or PLATFORM
    platforms = [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else []
    requires: object = marker.kwargs.get("requires", "")
    seed: object = marker.kwargs.get("seed", _seed(config))
    timeout: object = marker.kwargs.get("timeout", TIMEOUT)
    if not platforms or not isinstance(requires, str) or not isinstance(seed, int):
        raise refuse("platform is a name or a list of names, requires is text, seed an integer")
    if not isinstance(timeout, int | float) or timeout <= 0:
        raise refuse("timeout is seconds, more than 0")
    named: object = marker.kwargs.get("faults", ())
    faults = (named,) if isinstance(named, str) else tuple(named) if isinstance(named, list | tuple) else (0,)
    jitter: object = marker.kwargs.get("jitter", 0)
    if not all(isinstance(fault, str) for fault in faults) or not isinstance(jitter, int):
        raise refuse("faults is text or a list of texts, jitter an integer")
    asked = chosen is not None and not marker.kwargs.get("platform")
    return [
        Wanted(
            str(board),
            str(platform),
            requires,
            seed,
            int(timeout * 1_000_000_000),
            asked,
            tuple(map(str, faults)),
            jitter,
        )
        for board in boards
        for platform in platforms
    ]


def _blueprint(wanted: Wanted, registry: Registry, known: dict[tuple[str, str], Blueprint]) -> Blueprint:
    """The blueprint, bound once a session.  Skips the test when the board lacks what it requires."""
    from multikernel.assemble import assemble, know

    kind = registry.platforms.get(wanted.platform).kind
    if wanted.requires and not know(wanted.board, registry, kind).skb.query(wanted.requires):
        pytest.skip(f"{wanted.board} has no answer to: {wanted.requires}")
    key = (wanted.board, kind)
    if key not in known:
        known[key] = assemble(wanted.board, registry, kind)
    return known[key]
