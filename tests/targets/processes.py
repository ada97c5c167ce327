"""Processes that work on a target, to be started together and killed."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def start(module, case, lake, place):
    """A process of a module in this folder that is ready to begin, and ends with the block."""
    command = [sys.executable, "-m", f"tests.targets.{module}", case.__name__, lake.root, place]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def begin(process, text=""):
    """Give it a line, which it waits for."""
    process.stdin.write(text + "\n")
    process.stdin.flush()
