"""What cannot be started is told as such, and the kernel goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from multikernel import Multikernel, assemble
from multikernel.errors import BindingError, ProgramFailed, UsageError
from multikernel.system.layout import BELLS
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot


def test_a_boot_list_names_what_is_installed(tmp_path: Path) -> None:
    board = tmp_path / "misspelt.yaml"
    board.write_text("extends: x86-qemu\nname: misspelt\nboot: [name-servcie]\n")
    with pytest.raises(BindingError, match=r"misspelt\.yaml:3:8: .* 'name-servcie' that nobody offers") as caught:
        assemble(str(board))
    assert caught.value.slot == "program:name-servcie"
    with pytest.raises(UsageError, match=r"no program 'name-servcie' \(did you mean name-service\b"):
        Multikernel(replace(assemble("x86-qemu"), boot=("name-servcie",))).boot("sim")


async def nothing(dispatcher: Dispatcher) -> tuple[()]:
    return ()


def test_a_core_with_no_room_for_a_dispatcher_refuses_and_goes_on() -> None:
    with boot("x86-qemu", {"nothing": nothing}) as kernel:
        last = BELLS - 1 - 1 - len(kernel.blueprint.boot)
        for _ in range(last):
            kernel.run("nothing")
        for _ in range(2):
            with pytest.raises(ProgramFailed, match=f"has bells for {BELLS - 1} dispatchers"):
                kernel.run("nothing")
        assert {core.state for core in kernel.cores()} == {"joined"}
