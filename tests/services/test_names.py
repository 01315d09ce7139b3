"""The name service: what one core registers every core can look up; what is taken or unknown is refused."""

from __future__ import annotations

import pytest

from multikernel.errors import MultikernelError
from multikernel.events import Row
from multikernel.system import names
from multikernel.system.messages import Done, decode, encode
from multikernel.system.runtime import Dispatcher
from tests.promises.kernels import boot

REPORTS, SERVICE = "reports", "greeter"
BOARDS = pytest.mark.parametrize(
    ("board", "platform"), [("x86-qemu", "sim"), ("zcu102", "sim"), ("paper-8x4-amd", "sim"), ("x86-qemu", "host")]
)


async def outcome(dispatcher: Dispatcher, name: str, register: bool) -> str:
    """What becomes of a question: the core, `ok`, or the error."""
    try:
        if register:
            await dispatcher.names.register(name)
            return "ok"
        return str(await dispatcher.names.lookup(name))
    except MultikernelError as error:
        return f"{type(error).__name__}: {error}"


async def report(dispatcher: Dispatcher, text: str) -> None:
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, REPORTS)
    await channel.send(text.encode()[:56])


# Programs


async def found(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """A service on `server` is found and used from `client`, and here; what is not there is not found."""
    parameter = dispatcher.environment.parameter
    reports = await dispatcher.export(REPORTS)
    before = await outcome(dispatcher, SERVICE, register=False)
    await dispatcher.spawn_on(int(parameter("server", "")), "greeter")
    ready = (await (await reports.accept()).recv()).decode()
    await dispatcher.spawn_on(int(parameter("client", "")), "greeted")
    remote = (await (await reports.accept()).recv()).decode()
    local = await outcome(dispatcher, SERVICE, register=False)
    return (Row(("before", "ready", "remote", "local"), (before, ready, remote, local)),)


async def greeter(dispatcher: Dispatcher) -> tuple[Row, ...]:
    listener = await dispatcher.export(SERVICE)
    await report(dispatcher, await outcome(dispatcher, SERVICE, register=True))
    channel = await listener.accept()
    await channel.send(b"hello, " + await channel.recv())
    return ()


async def greeted(dispatcher: Dispatcher) -> tuple[Row, ...]:
    core = await dispatcher.names.lookup(SERVICE)
    channel = await dispatcher.connect(core, SERVICE)
    await channel.send(f"{dispatcher.core} from {core}".encode())
    await report(dispatcher, (await channel.recv()).decode())
    return ()


async def taken(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """A name is its first core's; that core may say so again, the next is refused."""
    reports = await dispatcher.export(REPORTS)
    answers = [await outcome(dispatcher, SERVICE, register=True) for _ in range(2)]
    await dispatcher.spawn_on(int(dispatcher.environment.parameter("client", "")), "taker")
    answers += [(await (await reports.accept()).recv()).decode()]
    answers += [await outcome(dispatcher, SERVICE, register=False)]
    return tuple(Row(("answer",), (answer,)) for answer in answers)


async def taker(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await report(dispatcher, await outcome(dispatcher, SERVICE, register=True))
    return ()


async def nonsense(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """What is no question is refused, and the service goes on."""
    long = await outcome(dispatcher, "a name of 21 bytes...", register=True)
    channel = await dispatcher.connect(dispatcher.environment.routes.boot_core, names.SERVICE)
    failed = 0
    for payload in (b"", b"\xff", encode(Done(1, 2, 3)), encode(names.Answer(1, 0)), encode(names.Lookup("nobody"))):
        await channel.send(payload)
        answer = decode(await channel.recv())
        failed += isinstance(answer, names.Answer) and answer.failed
    return (Row(("long", "failed", "then"), (long, failed, await outcome(dispatcher, SERVICE, register=True))),)


async def crowd(dispatcher: Dispatcher) -> tuple[Row, ...]:
    """Every core registers its own name; then the threads of one dispatcher look them up at once."""
    reports = await dispatcher.export(REPORTS)
    others = [core for core in dispatcher.environment.routes.cores if core != dispatcher.core]
    for core in others:
        await dispatcher.spawn_on(core, "crowd-member")
        await (await reports.accept()).recv()
    await dispatcher.spawn_on(others[-1], "crowd-asker")
    return (Row(("wrong",), ((await (await reports.accept()).recv()).decode(),)),)


async def crowd_member(dispatcher: Dispatcher) -> tuple[Row, ...]:
    await report(dispatcher, await outcome(dispatcher, f"core{dispatcher.core}", register=True))
    return ()


async def crowd_asker(dispatcher: Dispatcher) -> tuple[Row, ...]:
    async def ask(core: int) -> int:
        wrong = 0
        for _ in range(20):
            await dispatcher.compute(await dispatcher.random(3000))
            wrong += await dispatcher.names.lookup(f"core{core}") != core
        return wrong

    cores = [core for core in dispatcher.environment.routes.cores if core != dispatcher.environment.routes.boot_core]
    threads = [dispatcher.spawn(ask(core)) for core in cores]
    await report(dispatcher, str(sum([await thread for thread in threads])))
    return ()


PROGRAMS = {
    "found": found, "greeter": greeter, "greeted": greeted, "taken": taken, "taker": taker, "nonsense": nonsense,
    "crowd": crowd, "crowd-member": crowd_member, "crowd-asker": crowd_asker,
}  # fmt: skip


@BOARDS
def test_a_name_is_found_from_another_core(board: str, platform: str) -> None:
    with boot(board, PROGRAMS, platform) as kernel:
        last = kernel.blueprint.cores[-1].id
        (row,) = kernel.run("found", server=last, client=1).rows
    unknown = f"PeerError: no service is called {SERVICE!r}"
    assert row.values == (unknown, "ok", f"hello, 1 from {last}", str(last))


@BOARDS
def test_a_name_is_taken_once(board: str, platform: str) -> None:
    with boot(board, PROGRAMS, platform) as kernel:
        answers = kernel.run("taken", client=kernel.blueprint.cores[-1].id).column("answer")
    assert answers == ["ok", "ok", f"LocalMisuse: the name {SERVICE!r} is taken", "0"]


def test_names_outlive_who_registered_them_and_end_with_the_kernel() -> None:
    for _ in range(2):
        with boot("x86-qemu", PROGRAMS) as kernel:
            first = kernel.run("taken", client=1).column("answer")
            again = kernel.run("taken", client=2).column("answer")
        assert first == again == ["ok", "ok", f"LocalMisuse: the name {SERVICE!r} is taken", "0"]


def test_what_is_no_question_is_refused() -> None:
    with boot("x86-qemu", PROGRAMS) as kernel:
        (row,) = kernel.run("nonsense").rows
    assert row.values == (
        "LocalMisuse: 'a name of 21 bytes...' is longer than the 20 bytes of a name in a message",
        5,
        "ok",
    )


@pytest.mark.parametrize("seed", range(3))
def test_threads_of_a_dispatcher_get_their_own_answers(seed: int) -> None:
    with boot("x86-qemu", PROGRAMS, seed=seed) as kernel:
        assert kernel.run("crowd").column("wrong") == ["0"]
