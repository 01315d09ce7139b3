"""What is measured binds: transports and trees go by it, where it settles the matter."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mk_ncring.transport import NonCoherentRing
from multikernel.assemble import assemble
from multikernel.binding.measured import timings
from multikernel.blueprint import Blueprint
from multikernel.board import load_board
from multikernel.cli.root import run
from multikernel.errors import BindingError, FileError, KnowledgeError
from multikernel.findings import Findings, load
from multikernel.hookspecs import hookimpl
from multikernel.interfaces import BootOptions
from multikernel.kernel import Multikernel
from multikernel.knowledge.facts import Fact, Source
from multikernel.measuring import measure
from multikernel.registry import Registry
from multikernel.spec import TransportSpec
from tests.binding.boards import from_text
from tests.binding.fakes import TRANSPORTS, Plugins, registry, transport

QUICK = {"rounds": 8, "messages": 32}


def fact(cls: str, name: str, low: int, high: int | None = None) -> Fact:
    high = low if high is None else high
    return Fact("measured", (cls, name, (low + high) // 2, 0, low, high, high, 10), Source("measured", "a test"), 1)


def bound(blueprint: Blueprint, cls: str) -> str:
    return next(entry.transport for entry in blueprint.pair_classes if entry.name == cls)


class Careful:
    """A ring that maintains caches where coherence would do it: right, ranked first, and slower."""

    multikernel_api = 1

    @hookimpl
    def transports(self) -> list[TransportSpec]:
        return [TransportSpec("careful", "Maintained.", NonCoherentRing, requires="coherent(A, B)", rank=1)]


def test_a_measured_machine_is_bound_again_and_is_faster() -> None:
    plugins = Registry.load(Careful())
    board = load_board("x86-qemu")
    ranked = assemble(board, plugins, "sim")
    found = measure(board, plugins, "sim", BootOptions(), QUICK)
    again = assemble(board, plugins, "sim", found.facts)
    assert {entry.transport for entry in ranked.pair_classes} == {"careful"}
    assert {entry.transport for entry in again.pair_classes} == {"ump"}
    assert again.hash != ranked.hash

    def cycles(blueprint: Blueprint) -> list[int | str]:
        with Multikernel(blueprint, plugins).boot("sim") as kernel:
            return kernel.run("ping", **QUICK).column("cycles")[:-1]

    assert all(int(after) < int(before) for after, before in zip(cycles(again), cycles(ranked), strict=True))


def test_a_slow_mailbox_named_first_gives_way_where_it_was_measured(tmp_path: Path) -> None:
    """Both really run: the mailbox of the ZCU102 and the ring in its memory."""
    board, plugins = load_board("zcu102"), Registry.load()
    facts = measure(board, plugins, "sim", BootOptions(), QUICK).facts
    slow = next(f for f in facts if f.values[:2] == ("island:remote:a53->r5", "mailbox"))
    quick = next(f for f in facts if f.values[:2] == ("island:remote:a53->r5", "ncring"))
    assert int(slow.values[2]) > 5 * int(quick.values[2])
    swapped = [
        fact(
            str(f.values[0]),
            {"mailbox": "ncring", "ncring": "mailbox"}.get(str(f.values[1]), str(f.values[1])),
            int(f.values[2]),
        )
        for f in facts
    ]
    assert bound(assemble(board, plugins, "sim", facts), "island:remote:a53->r5") == "ncring"
    assert bound(assemble(board, plugins, "sim", swapped), "island:remote:a53->r5") == "mailbox"


def test_ping_asserts_what_it_shows() -> None:
    with Multikernel(assemble("paper-8x4-amd")).boot("sim") as kernel:
        result = kernel.run("ping", pairs=3, **QUICK)
        facts = kernel.facts()
    assert [fact.values[0] for fact in facts] == result.column("class")
    for known, cycles in zip(facts, result.column("cycles"), strict=True):
        _, _, mean, sd, low, high, p99, count = known.values
        assert int(cycles) * 500 <= int(mean) < (int(cycles) + 1) * 500  # 2 GHz
        assert int(low) <= int(mean) <= int(high) <= int(p99)
        assert int(sd) >= 0
        assert int(count) % 8 == 0
    spread = dict(zip(result.column("class"), facts, strict=True))["hops:1"].values
    assert spread[7] == 24  # three pairs


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ({"ump": (300, 400), "woken": (310, 390)}, "ump"),  # the ends disagree: by rank
        ({"ump": (300, 400), "woken": (200, 300)}, "woken"),
        ({"ump": (300, 400), "woken": (300, 400)}, "ump"),  # equal: the name that sorts first, at both ends
        ({"woken": (1, 1)}, "ump"),  # one of two measured: nothing to compare
    ],
)
def test_measurements_settle_a_class_or_leave_it_to_rank(
    tmp_path: Path, times: dict[str, tuple[int, int]], chosen: str
) -> None:
    woken = transport("woken", "coherent(A, B)", 20)
    plugins = registry(plugins=Plugins((*TRANSPORTS, woken)))
    facts = [fact("hops:1", name, *ends) for name, ends in times.items()]
    blueprint = assemble(from_text(tmp_path), plugins, measured=facts)
    assert bound(blueprint, "hops:1") == chosen
    assert bound(blueprint, "shared:package") == "ump"


def test_what_the_board_names_goes_before_measurements(tmp_path: Path) -> None:
    plugins = registry(plugins=Plugins((*TRANSPORTS, transport("woken", "coherent(A, B)", 20))))
    board = from_text(tmp_path, add="bind: {transport: {'hops:1': ump}}\n")
    blueprint = assemble(board, plugins, measured=[fact("hops:1", "ump", 900), fact("hops:1", "woken", 1)])
    assert bound(blueprint, "hops:1") == "ump"


def test_the_numa_tree_goes_by_measured_distance_when_every_leader_is_measured() -> None:
    def order(*facts: Fact) -> tuple[int, ...]:
        trees = {tree.name: tree for tree in assemble("paper-8x4-amd", measured=facts).trees}
        return next(node.children for node in trees["numa"].nodes if node.core == 0)[:7]

    far_is_near = [fact(f"hops:{n}", "ump", 1000 - n) for n in range(1, 5)]
    assert order() == (28, 20, 24, 12, 16, 4, 8)
    assert order(*far_is_near) == (4, 8, 12, 16, 20, 24, 28)
    assert order(*far_is_near[:3]) == order(), "a leader without a measurement: hops for all"


def test_why_shows_predicted_against_measured_for_any_pair_of_the_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board, path = load_board("zcu102"), tmp_path / "facts.json"
    facts = (fact("island:remote:a53->r5", "ncring", 9_000_000), fact("island:remote:a53->r5", "mailbox", 500_000))
    Findings("zcu102", board.machine_hash, "sim", 0, facts).save(path)
    for pair in ("0->4", "1->5", "3->4"):
        assert run(["why", "zcu102", f"transport:{pair}", "--measured", str(path)]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"transport:{pair}: mailbox, decided by policy")
        assert f"  mailbox: 400.0 assumed; 500.0, sd 0.0, pairs from 500.0 to 500.0, n 10  {path}: on sim" in out
        assert f"measured {path}: on sim" in out.partition("because")[2]
    assert run(["why-not", "zcu102", "transport:1->5=ncring", "--measured", str(path)]) == 0
    assert "ncring serves it" in capsys.readouterr().out


def test_findings_are_the_same_bytes_and_read_back(tmp_path: Path) -> None:
    board = load_board("zcu102")
    one, two = (measure(board, Registry.load(), "sim", BootOptions(), QUICK) for _ in range(2))
    assert one.to_json() == two.to_json()
    path = tmp_path / "zcu102.json"
    one.save(path)
    assert [fact[:2] for fact in load(path, board)] == [fact[:2] for fact in one.facts]
    assert [path.name for path in tmp_path.iterdir()] == ["zcu102.json"]
    predicted = timings(one.facts, board, "shared:L2")
    assert [(t.transport, t.predicted, t.status) for t in predicted] == [("ump", 180_000, "assumed")]


def test_facts_of_other_machines_and_other_files_are_refused(tmp_path: Path) -> None:
    board, path = load_board("zcu102"), tmp_path / "facts.json"
    Findings("duo", load_board("x86-qemu").machine_hash, "sim", 0, ()).save(path)
    with pytest.raises(FileError, match=r"facts of another machine than zcu102 is now \(they were found on duo\)"):
        load(path, board)
    good = json.loads(Findings("zcu102", board.machine_hash, "sim", 0, ()).to_json())
    for text, said in [
        ("{", "no JSON"),
        ("[]", "not of schema facts/1"),
        (json.dumps({**good, "facts": [["measured", 1.5]]}), r"fact 1 is \['measured', 1.5\]; a fact is"),
        (json.dumps({**good, "facts": [7]}), "fact 1 is 7; a fact is"),
        ("[" * 100_000, "no JSON"),
    ]:
        path.write_text(text)
        with pytest.raises(FileError, match=said):
            load(path, board)
    with pytest.raises(FileError, match="No such file"):
        load(tmp_path / "none", board)
    with pytest.raises(BindingError, match=r"zcu102 has no class 'shared:L3' of pairs .*shared:L2"):
        assemble(board, measured=[fact("shared:L3", "ump", 1)])
    with pytest.raises(KnowledgeError, match="gravity"):
        assemble(board, measured=[replace_name(fact("shared:L2", "ump", 1), "gravity")])


def test_devices_and_pipes_are_no_files_to_replace_or_wait_for(tmp_path: Path) -> None:
    board = load_board("zcu102")
    findings = Findings("zcu102", board.machine_hash, "sim", 0, (fact("shared:L2", "ump", 1),))
    pipe, link, real = tmp_path / "pipe", tmp_path / "link", tmp_path / "real"
    os.mkfifo(pipe)
    link.symlink_to(real)
    with pytest.raises(FileError, match="nobody writes to this pipe"):
        load(pipe, board)
    with pytest.raises(FileError, match="no file of facts"):
        load(Path("/dev/zero"), board)
    findings.save(link)
    assert link.is_symlink()
    assert [known.values for known in load(real, board)] == [findings.facts[0].values]
    reader = os.open(pipe, os.O_RDWR)
    findings.save(pipe)
    assert pipe.is_fifo()
    assert os.read(reader, 1 << 16).decode() == findings.to_json()
    os.close(reader)
    with pytest.raises(KnowledgeError, match="measured"):
        assemble(board, measured=[Fact("measured", (), Source("measured", "a test"), 1)])


def replace_name(old: Fact, name: str) -> Fact:
    return Fact(name, old.values, old.source, old.time)


def test_a_bind_section_does_not_make_another_machine(tmp_path: Path) -> None:
    plain = from_text(tmp_path)
    assert from_text(tmp_path, add="bind: {transport: ump}\n").machine_hash == plain.machine_hash
    assert from_text(tmp_path, add="bind: {transport: ump}\n").hash != plain.hash
    assert from_text(tmp_path, clock="mhz: 2000 => mhz: 2001").machine_hash != plain.machine_hash


def test_measure_and_boot_by_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "facts.json"
    assert run(["measure", "x86-qemu", "--rounds", "4", "-o", str(path)]) == 0
    out = capsys.readouterr().out
    assert "what was measured changes no binding" in out
    assert f"written to {path}" in out
    assert run(["boot", "x86-qemu", "--measured", str(path), "--facts", str(tmp_path / "more.json"), "--run", "ping",
                "--set", "ping.rounds=4", "--set", "ping.class=hops:0", "--json"]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["programs"][0]["status"] == "ok"
    assert [fact.values[0] for fact in load(tmp_path / "more.json", load_board("x86-qemu"))] == ["hops:0"]
    assert run(["measure", "x86-qemu", "--rounds", "4", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["measured"]
    assert {row["transport"] for row in rows if row["bound"]} == {"ump"}
    assert run(["boot", "zcu102", "--measured", str(path)]) == 3
    assert "other-machine" in capsys.readouterr().err
