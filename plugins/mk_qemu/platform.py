"""Platform Q: a blueprint becomes an x86-64 image and runs bare under QEMU.

    QemuPlatform().boot(blueprint, code, options, sink) -> Session      doctor() -> findings
    session.run(program, ())     session.stop() -> Outcome

An image takes the program it is to run on its command line and powers off when that has ended.  So each
run is an instance of its own: `boot` starts one without a program, proves that every core comes up or is
reported, and lets it power off; `run` starts another and tells only what the program did.  Times count
from the start of the instance they belong to.  All instances of an image are the same up to the
program's start, byte for byte.

`options`: `timeout_ns` bounds each instance, in wall time; `keep` gets the generated files, kernel.elf
and a log per instance; `trace` gets the logs.  `seed` is for platforms that draw numbers; this has none.

May not know: what is in the C sources.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from mk_qemu.image import build_image, cached_image, programs
from mk_qemu.log import Reader
from mk_qemu.machine import command, find_qemu, qemu_version, run
from multikernel.blueprint import Blueprint
from multikernel.errors import FileError, PlatformError, UsageError
from multikernel.events import Event, Message
from multikernel.interfaces import BootOptions, Outcome
from multikernel.system.environment import Code

NS = 1_000_000_000


class QemuSession:
    """An image that has proved it comes up.  Made by `QemuPlatform.boot`."""

    def __init__(
        self,
        blueprint: Blueprint,
        image: Path,
        known: tuple[str, ...],
        options: BootOptions,
        sink: Callable[[Event], None],
    ) -> None:
        self._blueprint = blueprint
        self._image = image
        self._known = known
        self._options = options
        self._sink = sink
        self._digest = hashlib.sha256()
        self._virtual_ns = 0
        self._messages = 0
        self._instances = 0
        self._stopped = False

    def instance(self, program: str) -> None:
        """Boot the image with `program`, or with none, to its end.  Raises PlatformError, BootTimeout."""
        reader = Reader(self._blueprint, self._sink, program)
        append = f"run={program}" if program else ""
        try:
            status = run(command(self._blueprint, self._image, append), self._options.timeout_ns / NS, reader.take)
        finally:
            self._save(program, reader.text)
        reader.finish(status)
        self._virtual_ns += reader.virtual_ns
        self._messages += reader.messages

    def _save(self, program: str, lines: Sequence[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self._digest.update(text.encode())
        try:
            if self._options.keep:
                name = f"{self._instances}-{program or 'boot'}.log"
                (Path(self._options.keep) / name).write_text(text, encoding="utf-8")
            if self._options.trace:
                with open(self._options.trace, "a" if self._instances else "w", encoding="utf-8") as file:
                    file.write(text)
        except OSError as error:
            raise FileError(f"{error.filename}: {error.strerror}") from error
        self._instances += 1

    def run(self, program: str, arguments: Sequence[tuple[str, str]]) -> None:
        """An instance that runs `program`.  Raises UsageError for a program the image does not hold or
        arguments, BootTimeout, PlatformError; a program that faults or fails is an event."""
        if self._stopped:
            raise UsageError("the kernel has been stopped")
        if program not in self._known:
            near = difflib.get_close_matches(program, self._known)
            hint = f" (did you mean {', '.join(near)}?)" if near else ""
            raise UsageError(
                f"program {program!r} has no C facet{hint}; on bare metal there are: {', '.join(self._known) or 'none'}"
            )
        if arguments:
            raise UsageError(f"{program}: programs on bare metal take no arguments; leave {arguments[0][0]!r} out")
        self.instance(program)

    def stop(self) -> Outcome:
        """What the instances did; none is running.  The digest is the SHA-256 of all their logs."""
        self._stopped = True
        return Outcome(self._digest.hexdigest(), self._virtual_ns, len(self._blueprint.channels), self._messages)


class QemuPlatform:
    """See the module."""

    def boot(
        self, blueprint: Blueprint, code: Code, options: BootOptions, sink: Callable[[Event], None]
    ) -> QemuSession:
        """Build the image of `code.metal` (or take it from the cache) and run it once without a program.
        Raises PlatformError when a tool is missing, a plugin has no C facet, or the image does not come up
        and power off in order; BootTimeout."""
        find_qemu()
        known = programs(code.metal)
        for name in blueprint.boot:
            if name not in known:
                sink(Message(0, blueprint.boot_core, name, "has no C facet: not started on bare metal"))
        if options.keep:
            image = build_image(blueprint, code.metal, Path(options.keep))
        else:
            image = cached_image(blueprint, code.metal)
        session = QemuSession(blueprint, image, known, options, sink)
        session.instance("")
        return session

    def image(self, blueprint: Blueprint, code: Code, folder: Path) -> Path:
        """Build `folder`/kernel.elf.  Raises PlatformError."""
        return build_image(blueprint, code.metal, folder)

    def doctor(self) -> Sequence[str]:
        """What this platform needs, found or not."""
        try:
            qemu = f"{qemu_version()}: instructions counted, no KVM, same bytes every run"
        except PlatformError as error:
            qemu = str(error)
        if importlib.util.find_spec("ziglang") is None:
            compiler = "no C compiler for images: pip install 'multikernel-kit[qemu]' (the wheel ziglang)"
        else:
            compiler = f"ziglang {version('ziglang')} builds the images"
        return (qemu, compiler)
