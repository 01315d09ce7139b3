"""The pytest plugin as another project uses it: in a folder of its own, with nothing but the kit installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HEAVY = ("pydantic", "rich", "yaml", "pyDatalog", "multikernel.kernel", "multikernel.registry")


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments)


def test_a_project_outside_boots_kernels_on_several_boards(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.kernel("x86-qemu", "zcu102")
        def test_boots(kernel):
            assert {core.state for core in kernel.cores()} == {"joined"}
            assert kernel.run("ping", rounds=1, messages=8).pairs > 0

        @pytest.mark.kernel("x86-qemu", platform=["sim"], seed=3)
        def test_seed(kernel):
            assert (kernel.platform, kernel.seed) == ("sim", 3)

        @pytest.mark.kernel("x86-qemu")
        class TestClass:
            def test_seed(self, kernel):
                assert kernel.seed == 9
        """,
        "-v", "--strict-markers", "--mk-seed", "9", "-W", "error",
    )  # fmt: skip
    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines(
        ["multikernel-kit *: platform sim, seed 9", "*::test_boots[[]x86-qemu-sim] PASSED*", "*[[]zcu102-sim] PASSED*"]
    )


def test_under_xdist(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("rounds", [1, 2])
        @pytest.mark.kernel("x86-qemu", "zcu102")
        def test_boots(kernel, rounds):
            assert kernel.run("ping", rounds=rounds, messages=8).rows
        """,
        "-n", "2",
    )  # fmt: skip
    done.assert_outcomes(passed=4)


def test_a_board_without_what_is_required_is_skipped(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.kernel("x86-qemu", "zcu102", requires="core(C, K) & kind(K, 'armv7-r')")
        def test_small_cores(kernel):
            assert "armv7-r" in {core.isa for core in kernel.cores()}
        """,
        "-rs",
    )
    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["*x86-qemu has no answer to: core(C, K) & kind(K, 'armv7-r')*"])


def test_a_failure_shows_the_end_of_the_log_and_how_to_repeat_it(pytester: pytest.Pytester) -> None:
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.kernel("x86-qemu", seed=4)
        def test_it(kernel):
            assert False

        @pytest.mark.kernel("x86-qemu", timeout=0.0001)
        def test_slow(kernel):
            pass
        """,
    )
    done.assert_outcomes(failed=1, errors=1)
    done.stdout.fnmatch_lines(["*multikernel events*", "again: mkit boot x86-qemu --platform sim --seed 4"])
    done.stdout.fnmatch_lines(["*x86-qemu on sim: boot-timeout: boot did not end within 100000 ns of virtual time*"])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("", "*the fixture `kernel` needs a marker: @pytest.mark.kernel('paper-8x4-amd')*"),
        ("kernel()", "*marker kernel(): name one or more boards*"),
        ("kernel('x86-qemu', platfrom='sim')", "*takes no 'platfrom' (did you mean platform?); it takes: platform, *"),
        ("kernel('x86-qemu', timeout=0)", "*timeout is seconds, more than 0*"),
        ("kernel('x86-qemu', seed='x')", "*seed an integer*"),
        ("kernel('x86-qemuu')", "*x86-qemuu on sim: board-unknown: no board 'x86-qemuu'; did you mean x86-qemu?*"),
        ("kernel('x86-qemu', platform='smi')", "*there is no platform 'smi' (did you mean sim?)*"),
        ("kernel('x86-qemu', requires='nonsense(')", "*x86-qemu on sim: *"),
    ],
)
def test_a_marker_that_makes_no_sense_is_told(pytester: pytest.Pytester, marker: str, message: str) -> None:
    mark = f"@pytest.mark.{marker}\n" if marker else ""
    pytester.makepyfile(f"import pytest\n{mark}def test_it(kernel):\n    pass\n")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    assert done.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    done.stdout.fnmatch_lines([message])
    done.stdout.no_fnmatch_line("*Traceback*")


PLATFORM = """
from multikernel.errors import PlatformError
from multikernel.hookspecs import hookimpl
from multikernel.spec import PlatformSpec

multikernel_api = 1

class Broken:
    def boot(self, blueprint, code, options, sink):
        raise PlatformError("there is no such machine")

    def doctor(self):
        return ()

@hookimpl
def platforms():
    yield PlatformSpec("elsewhere", "Never here.", factory=Broken, kind="sim")
"""

ELSEWHERE = """
import pytest

@pytest.mark.kernel("x86-qemu"{platform})
def test_it(kernel):
    pass
"""


def test_a_platform_that_cannot_run_here(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip that says why; a failure when the command line asked for it."""
    info = pytester.mkdir("site") / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info.parent / "elsewhere_plugin.py").write_text(PLATFORM)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[multikernel]\nelsewhere = elsewhere_plugin\n")
    monkeypatch.setenv("PYTHONPATH", str(info.parent), prepend=":")
    done = run(pytester, ELSEWHERE.format(platform=", platform='elsewhere'"), "-rs")
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["*platform elsewhere cannot run here: there is no such machine*"])
    done = run(pytester, ELSEWHERE.format(platform=""), "--mk-platform", "elsewhere")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*platform elsewhere cannot run here: there is no such machine*"])


def test_other_projects_pay_nothing(pytester: pytest.Pytester) -> None:
    """A run whose tests want no kernel loads nothing of the kit but the plugin."""
    done = run(
        pytester,
        f"""
        import sys

        def test_it():
            assert "multikernel.testing.pytest_plugin" in sys.modules
            assert [name for name in {HEAVY!r} if name in sys.modules] == []
        """,
    )
    done.assert_outcomes(passed=1)


def test_the_plugin_imports_nothing_but_pytest() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules)\n"
        "import multikernel.testing.pytest_plugin\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["multikernel"]


def test_the_examples_of_the_page_run(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        (pytester.path / f"test_block{number}.py").write_text(block)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", "not in_a_kernel")
    outcomes = done.parseoutcomes()
    assert (outcomes.get("failed", 0), outcomes.get("errors", 0), outcomes["skipped"]) == (0, 0, 1)
    assert outcomes["passed"] > 10
