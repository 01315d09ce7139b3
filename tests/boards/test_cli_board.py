"""`mkit board` from the outside: what it prints, where, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from multikernel.cli import root

BAD = Path(__file__).parent / "bad"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `mkit board`."""
    code = root.run(["board", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--json")
    assert code == 0
    names = [board["name"] for board in json.loads(out)["boards"]]
    assert {"paper-8x4-amd", "x86-qemu", "zcu102"} <= set(names)
    code, out, _ = run(capsys, "list")
    assert [line.split()[0] for line in out.splitlines()] == names


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "zcu102")
    assert code == 0
    assert "  rpu0  0x100000     2047M  ddr+0x0        uncached\n" in out
    code, out, _ = run(capsys, "show", "paper-8x4-amd", "--json")
    shown = json.loads(out)
    assert shown["schema_version"] == 1
    assert {c["name"]: c["latency"]["mean"] for c in shown["classes"]}["hops:2"] == 618
    assert shown["board"]["schema"] == "board/1"


def test_validate_tells_every_mistake_of_every_board(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "validate", "zcu102", str(BAD / "bad-clock.yaml"), str(BAD / "list.yaml"), "nope")
    assert code == 4
    assert out == "zcu102: valid, 6 cores\n"
    assert "bad-clock.yaml:4:31: bad-clock" in err
    assert "bad-clock.yaml:4:62: bad-clock" in err
    assert "list.yaml:1:1: yaml-not-mapping" in err
    assert "no board 'nope'" in err


@pytest.mark.parametrize(("boards", "status"), [(["zcu102"], 0), (["nope"], 3), ([str(BAD / "tag.yaml"), "nope"], 4)])
def test_validate_exits(capsys: pytest.CaptureFixture[str], boards: list[str], status: int) -> None:
    assert run(capsys, "validate", *boards)[0] == status
    code, out, err = run(capsys, "validate", "--json", *boards)
    assert (code, err) == (status, "")
    assert [row["valid"] for row in json.loads(out)["boards"]] == [board == "zcu102" for board in boards]


def test_show_of_a_bad_board_shows_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", str(BAD / "bad-name.yaml"))
    assert (code, out) == (4, "")
    assert "    name: my board\n          ^" in err


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "schema")
    schema = json.loads(out)
    assert code == 0
    assert schema["properties"]["schema"] == {"const": "board/1", "title": "Schema", "type": "string"}
    assert {"extends", "cpu-driver"} <= {*schema["properties"], *schema["$defs"]["BindSection"]["properties"]}
    assert schema["anyOf"][1]["required"] == ["schema", "name", "summary", "kinds", "cores", "regions"]


def test_diff(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "hot.yaml").write_text("extends: zcu102\nkinds: {a53: {mhz: 1500}}\nlatency: null\ngroups: []\n")
    code, out, _ = run(capsys, "diff", "zcu102", "zcu102")
    assert (code, out) == (0, "the boards say the same\n")
    code, out, _ = run(capsys, "diff", "--json", "zcu102", str(tmp_path / "hot.yaml"))
    assert code == 1
    changes = {change["path"]: (change["a"], change["b"]) for change in json.loads(out)["changes"]}
    assert changes["kinds.a53.mhz"] == ("1200", "1500")
    assert changes["groups[L2].sets"] == ("[[0, 1, 2, 3]]", None)


def test_validate_tells_what_nobody_offers_to_boot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("extends: x86-qemu\nname: m\nboot: [mem-server, name-servcie, zzzz]\n")
    code, out, err = run(capsys, "validate", str(tmp_path / "m.yaml"))
    assert (code, out) == (4, "")
    assert "m.yaml:3:20: unknown-program: nobody offers a program 'name-servcie' (did you mean name-service" in err
    assert "m.yaml:3:34: unknown-program: nobody offers a program 'zzzz'; installed: " in err
