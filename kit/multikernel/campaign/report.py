"""A run that violates something, as a test for pytest.

    test_file(board, object, run) -> the text of a file that fails while the violation is there

May not know: how the run was found.
"""

from __future__ import annotations

from multikernel.campaign.trial import Run


def test_file(board: str, name: str, run: Run) -> str:
    """See the module.  `run` violates something; `board` is its name or path."""
    assert run.violation is not None
    schedule, work = run.schedule, run.schedule.work
    faults = "".join(f'            "{fault}",\n' for fault in schedule.faults)
    told = f"(\n{faults}        )" if faults else "()"
    return (
        f'"""{name} on {board} violates {run.violation.name}: {run.violation.how}."""\n\n'
        "from multikernel.campaign import replay\n\n\n"
        f"def test_{name}_keeps_{run.violation.name}() -> None:\n"
        "    found = replay(\n"
        f'        "{board}",\n'
        f'        "{name}",\n'
        f"        seed={schedule.seed},\n"
        f"        faults={told},\n"
        f"        jitter_ns={schedule.jitter_ns},\n"
        f"        calls={work.calls},\n"
        f"        cores={work.cores},\n"
        f"        outstanding={work.outstanding},\n"
        f"        keys={work.keys},\n"
        f"        changes={work.changes},\n"
        f'        tree="{work.tree}",\n'
        "    )\n"
        '    assert found == ""\n'
    )
