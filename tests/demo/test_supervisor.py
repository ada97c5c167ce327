"""Nothing may be left behind: real processes, some of which do not want to go."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_interactions.demo.errors import DemoError, Interrupted
from airflow_provider_interactions.demo.supervisor import has_ended, list_living, stop, supervise

# Three generations that ignore SIGTERM and SIGINT, each in a process group of its own, as Airflow's tasks are.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        break
    os.setpgid(0, 0)
open(sys.argv[1] + str(os.getpid()), "w").close()
time.sleep(600)
"""

SLEEP = "import time; time.sleep(600)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descendants are only found through /proc")


def python(program, *arguments):
    return (sys.executable, "-c", program, *map(str, arguments))


def begin(running, tmp_path, program, *arguments):
    return running.start("The thing", python(program, *arguments), os.environ, tmp_path / "log")


def wait_for(reached):
    until = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.01)


def family(running, tmp_path):
    folder = tmp_path / "family"
    folder.mkdir()
    component = begin(running, tmp_path, STUBBORN, f"{folder}/")
    wait_for(lambda: len(list(folder.iterdir())) == 3)
    return component, list_living(component)


def is_gone(pid):
    return not (Path("/proc") / str(pid)).exists()


def test_descendants_that_ignore_sigterm_are_killed(tmp_path):
    with supervise() as running:
        component, pids = family(running, tmp_path)
        assert len({os.getpgid(pid) for pid in pids}) > 1
        stop([component], patience=0.3)
        assert all(map(is_gone, pids))
        assert list_living(component) == []
        stop([component])  # once more does no harm


def test_descendants_of_a_dead_leader_are_found(tmp_path):
    with supervise() as running:
        component, pids = family(running, tmp_path)
        os.kill(component.process.pid, signal.SIGKILL)
        wait_for(lambda: has_ended(component))
        stop([component], patience=0.3)
        assert all(map(is_gone, pids))


def test_who_ends_when_asked_is_not_waited_for(tmp_path):
    began = time.monotonic()
    with supervise() as running:
        component = begin(running, tmp_path, SLEEP)
    assert time.monotonic() - began < 2
    assert component.process.returncode == -signal.SIGTERM


def test_an_exception_ends_them_too(tmp_path):
    def fail():
        with supervise() as running:
            pids.append(begin(running, tmp_path, SLEEP).process.pid)
            raise ZeroDivisionError

    pids = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert is_gone(*pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_them_too_and_handlers_come_back(tmp_path, number):
    former = signal.getsignal(number)
    with supervise() as running:
        component = begin(running, tmp_path, SLEEP)
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as interrupted:
            running.pause(60)
    assert interrupted.value.signal == number
    assert is_gone(component.process.pid)
    assert signal.getsignal(number) is former


def test_a_component_that_dies_is_noticed_with_the_end_of_its_log(tmp_path):
    with supervise() as running:
        begin(running, tmp_path, "print('out of luck')")
        with pytest.raises(DemoError, match=r"(?s)^The thing ended unexpectedly.*out of luck.*The whole log"):
            running.pause(60)


def test_a_command_that_fails_is_told_with_the_end_of_its_log(tmp_path):
    with supervise() as running:
        running.run("One", python("print('fine')"), os.environ, tmp_path / "one")
        with pytest.raises(DemoError, match=r"(?s)^Two .*no such day"):
            running.run("Two", python("raise SystemExit('no such day')"), os.environ, tmp_path / "two")
        assert running.components == []
    assert (tmp_path / "one").read_text() == "fine\n"


def test_waiting_ends_with_what_is_waited_for_or_with_patience():
    with supervise() as running:
        answers = iter([False, True])
        running.wait_until(lambda: next(answers), "It did not come")
        with pytest.raises(DemoError, match=r"^It did not come within 0 s\."):
            running.wait_until(lambda: False, "It did not come", patience=0)


def test_a_demo_that_is_told_to_end_takes_all_with_it(tmp_path):
    """The process that runs the demo is told to end, as a terminal or a CI job does it."""
    program = f"""
import os
from pathlib import Path
from airflow_provider_interactions.demo.supervisor import supervise
with supervise(patience=0.3) as running:
    running.start("x", {python(STUBBORN, tmp_path / "pid")!r}, os.environ, Path({os.devnull!r}))
    running.pause(60)
"""
    with subprocess.Popen(python(program), stderr=subprocess.DEVNULL) as demo:
        wait_for(lambda: len(list(tmp_path.iterdir())) == 3)
        pids = [int(path.name.removeprefix("pid")) for path in tmp_path.iterdir()]
        demo.send_signal(signal.SIGTERM)
    assert demo.returncode
    assert all(map(is_gone, pids))
