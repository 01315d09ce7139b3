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
    rows = {name: set(row["properties"]) for name, row in schema["$defs"].items()}
    assert rows["ChannelRow"] >= {"region", "offset", "size", "slots", "transport", "a", "b"}
    assert rows["LatencySection"] == {"method", "classes", "offsets", "matrix"}
    assert rows["DeviceRow"] >= {"irqs", "msi", "bars", "bridge", "apertures", "channels"}
    assert schema["anyOf"][1]["required"] == ["schema", "name", "summary", "kinds", "cores", "regions"]


def test_diff(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "hot.yaml").write_text("extends: zcu102\nkinds: {a53: {mhz: 1500}}\nlatency: null\ngroups: []\n")
    code, out, _ = run(capsys, "diff", "zcu102", "zcu102")
    assert (code, out) == (0, "the boards say the same\n")
    code, out, _ = run(capsys, "diff", "--json", "zcu102", str(tmp_path / "hot.yaml"))
    assert code == 1
    changes = {change["path"]: (change["a"], change["b"]) for change in json.loads(out)["changes"]}
    assert changes["kinds.a53.mhz"] == ("1200", "1500")
    assert changes["groups[L2].sets"] == ('["0-3"]', None)


def test_diff_tells_cores_as_a_board_writes_them(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "diff", "--json", "epyc-7742-2s", "altra-q80")
    assert code == 1
    changes = {change["path"]: (change["a"], change["b"]) for change in json.loads(out)["changes"]}
    assert changes["cores[1].ids"] == ('"1-127"', '"1-79"')
    assert changes["nodes[1].cores"] == ('"64-127"', '"40-79"')
    assert changes["notify[0].src"] == ('"0-127"', '"0-79"')
    offsets = [b for path, (_, b) in changes.items() if path.startswith("latency.offsets") and path.endswith("cores")]
    assert offsets
    assert all(b and b.startswith('"') for b in offsets)


ALL = """
extends: zcu102
name: all
channels:
  - region: ocm
    size: 8K
    slots: 16
    a: {core: 0, address: 0xfffc0000, cached: true}
    b: {core: 4, address: 0xfffc0000}
devices:
  - {id: ipi, cls: mailbox, channels: 8, irqs: 2}
  - {id: pci0, cls: pci-host, apertures: [{base: 0xe0000000, size: 16M}]}
  - {id: nic0, cls: nic, bridge: pci0, irqs: 8, msi: true,
     bars: [{size: 64K}, {size: 1M, bits: 64, prefetchable: true}]}
latency:
  method: made up
  classes:
    - {cls: "shared:L2", mean: 180, sd: 0, unit: ns, status: assumed, source: t}
    - {cls: "shared:L2", home: receiver, mean: 100, sd: 2, min: 80, max: 130, p99: 120, count: 12, unit: ns,
       status: assumed, source: t}
  offsets: [{cores: 0-1, plus: -3, status: assumed, source: t}]
  matrix: {ids: [2, 0, 1], status: assumed, source: t, matrix: [[0, 1, 2], [3, 0, 4], [5, 6, 0]]}
"""
LESS = """
extends: all.yaml
name: less
channels:
  - region: ocm
    size: 8K
    slots: 20
    a: {core: 0, address: 0xfffc0000, cached: true}
    b: {core: 4, address: 0xfffc0000}
devices: [{id: ipi, cls: mailbox}]
latency:
  classes:
    - {cls: "shared:L2", home: receiver, mean: 90, sd: 2, unit: ns, status: assumed, source: t}
  matrix: null
notify: [{src: 0-5, dst: 0-5, via: gic-sgi}]
"""


def test_show_tells_all_sections(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(ALL)
    code, out, _ = run(capsys, "show", str(tmp_path / "all.yaml"))
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    for line in (
        "0-3 -> 4-5 mailbox 1 slots, 32 bytes",
        "ipi mailbox 2 irqs, 8 channels",
        "pci0 pci-host 0xe0000000+16M",
        "nic0 nic behind pci0 8 MSI vectors bar 64K, 32 bits, bar 1M, 64 bits prefetchable",
        "0 - 4 8K of ocm 16 slots transport auto at 0xfffc0000 and 0xfffc0000",
        "shared:L2 12 pairs e.g. 0->1 180 ns (sd 0, assumed)",
        "100 ns (sd 2, assumed, homed at receiver)",
        "cores 0-1 -3 ns assumed",
        "cores 0-2 assumed t",
    ):
        assert line in lines
    _, out, _ = run(capsys, "show", str(tmp_path / "all.yaml"), "--json")
    classes = {entry["name"]: entry for entry in json.loads(out)["classes"]}
    assert classes["shared:L2"]["latency"]["mean"] == 180
    assert classes["shared:L2"]["by_home"]["receiver"]["p99"] == 120
    assert classes["island:remote"]["latency"] is None


def test_overlays_and_diff_take_all_sections(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(ALL)
    (tmp_path / "less.yaml").write_text(LESS)
    code, out, _ = run(capsys, "diff", str(tmp_path / "all.yaml"), str(tmp_path / "less.yaml"), "--json")
    told = {change["path"]: (change["a"], change["b"]) for change in json.loads(out)["changes"]}
    assert code == 1
    assert told["channels[0-4].slots"] == ("16", "20")
    assert told["latency.classes[shared:L2@receiver].mean"] == ("100", "90")
    assert told["latency.classes[shared:L2@receiver].p99"] == ("120", None)
    assert told["latency.classes[shared:L2].mean"] == ("180", None)
    assert told["latency.matrix.ids"] == ("[2, 0, 1]", None)
    assert told["devices[nic0].bars[1].bits"] == ("64", None)
    assert not [path for path in told if path.startswith("latency.offsets")], "kept from the parent"
    assert not [path for path in told if "address" in path]


def test_validate_tells_what_nobody_offers_to_boot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("extends: x86-qemu\nname: m\nboot: [mem-server, name-servcie, zzzz]\n")
    code, out, err = run(capsys, "validate", str(tmp_path / "m.yaml"))
    assert (code, out) == (4, "")
    assert "m.yaml:3:20: unknown-program: nobody offers a program 'name-servcie' (did you mean name-service" in err
    assert "m.yaml:3:34: unknown-program: nobody offers a program 'zzzz'; installed: " in err
