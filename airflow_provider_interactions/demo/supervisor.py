"""Start processes, notice when one dies, and leave none behind.

Each component leads a session of its own. Airflow gives every task a process group of its own, so groups are not
enough to find a component's descendants again; none of them leaves the session.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from airflow_provider_interactions.demo.errors import DemoError, Interrupted
from airflow_provider_interactions.demo.paths import shorten

#: seconds between SIGTERM and SIGKILL; nothing of a demo's Airflow is worth waiting for
PATIENCE = 3.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Component:
    """A process that leads a session, and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(slots=True)
class Supervisor:
    """The components of one demo, and the signal that asked it to end (0: none did)."""

    components: list[Component] = field(default_factory=list)
    signal: int = 0

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Component:
        """Start a component that is expected to run until the end."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        component = Component(name, process, log)
        self.components.append(component)
        return component

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Run a command to its end; raises DemoError with the end of its log if it fails."""
        component = self.start(name, command, environment, log)
        while not has_ended(component):
            self._check_signal()
            time.sleep(0.05)
        self.components.remove(component)
        stop([component])
        if component.process.returncode:
            raise DemoError(_build_crash_report(component))

    def pause(self, seconds: float) -> None:
        """Wait; raises DemoError as soon as a component has died, and Interrupted when a signal came."""
        until = time.monotonic() + seconds
        while True:
            self._check_signal()
            for component in self.components:
                if has_ended(component):
                    raise DemoError(_build_crash_report(component))
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.2))

    def wait_until(self, reached: Callable[[], bool], otherwise: str, patience: float = 180.0) -> None:
        """Call ``reached`` until it is true; raises DemoError when that takes too long."""
        deadline = time.monotonic() + patience
        while not reached():
            if time.monotonic() > deadline:
                raise DemoError(f"{otherwise} within {patience:.0f} s. Is the machine busy? See the logs.")
            self.pause(0.3)

    def _check_signal(self) -> None:
        if self.signal:
            raise Interrupted(self.signal)


@contextmanager
def supervise(patience: float = PATIENCE) -> Iterator[Supervisor]:
    """A supervisor whose processes are stopped when the block ends, however it ends; ``patience`` is that of ``stop``.

    A signal is only noted: an exception out of its handler could come between the start of a process and the moment
    it is registered. ``pause`` and ``run`` read the note.
    """
    made = Supervisor()

    def note(number: int, _: FrameType | None) -> None:
        made.signal = number

    former = {number: signal.signal(number, note) for number in _SIGNALS}
    _become_subreaper(adopt=True)
    try:
        yield made
    finally:
        stop(made.components, patience)
        _become_subreaper(adopt=False)
        for number, handler in former.items():
            signal.signal(number, handler)


def stop(components: Sequence[Component], patience: float = PATIENCE) -> None:
    """Stop components with all their descendants: ask, wait, kill. Raises DemoError if one survives."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
        until = time.monotonic() + seconds
        _send_signal(components, number)
        while any(map(list_living, components)) and time.monotonic() < until:
            time.sleep(0.05)
            if number == signal.SIGKILL:  # a process may have forked while the first ones were signalled
                _send_signal(components, number)
    left = [component.name for component in components if list_living(component)]
    if left:
        raise DemoError(f"These processes could not be stopped: {', '.join(left)}.")
    for component in components:
        _reap(component)


def list_living(component: Component) -> list[int]:
    """The processes of a component's session that still run."""
    if not _PROC.is_dir():  # macOS: its leader stands for all
        return [component.process.pid] if component.process.poll() is None else []
    if component.process.returncode is not None:
        return []
    return [pid for pid, state in _list_session(component.process.pid) if state not in "ZX"]


def has_ended(component: Component) -> bool:
    """Whether the leader has ended. It is not reaped, see ``stop``."""
    if not _PROC.is_dir():
        return component.process.poll() is not None
    state, _ = _read_state(_PROC / str(component.process.pid))
    return state in "ZX"


def read_tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for a message."""
    with suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""


def _become_subreaper(*, adopt: bool) -> None:
    """Become the parent of descendants whose own parent dies, to reap them here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def _reap(component: Component) -> None:
    leader = component.process.pid
    dead = _list_session(leader) if component.process.returncode is None else []
    for pid in (pid for pid, _ in dead if pid != leader):
        with suppress(ChildProcessError):  # no child of this process, so another one's to reap
            os.waitpid(pid, 0)
    # Last: as long as a leader is not reaped, its number, which is its session's, is nobody else's.
    component.process.wait()


def _send_signal(components: Sequence[Component], number: int) -> None:
    for component in components:
        for pid in list_living(component):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _list_session(leader: int) -> list[tuple[int, str]]:
    """Number and state of each process in a session."""
    entries = (entry for entry in _PROC.glob("[0-9]*") if entry.name.isdigit())
    found = ((int(entry.name), *_read_state(entry)) for entry in entries)
    return [(pid, state) for pid, state, session in found if session == leader]


def _read_state(entry: Path) -> tuple[str, int]:
    """State and session of a process; state X when it is gone."""
    try:
        # The name, in parentheses, may hold blanks and parentheses itself.
        state, _, _, session, *_ = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return state, int(session)


def _build_crash_report(component: Component) -> str:
    end = read_tail(component.log)
    return (
        f"{component.name} ended unexpectedly. The end of its log:\n\n{end}\n\nThe whole log: {shorten(component.log)}"
    )
