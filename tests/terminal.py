"""The console command as a process of its own, where Airflow cannot be imported."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: The command's entry point, in a process that refuses Airflow.
WITHOUT_AIRFLOW = f"""
import runpy, sys
runpy.run_path({str(ROOT / "tests/no_airflow.py")!r})
from airflow_provider_interactions.shell.app import main
main()
"""
COMMAND = [sys.executable, "-W", "error", "-c", WITHOUT_AIRFLOW]


class Shell:
    """A folder, an environment, and the command."""

    def __init__(self, folder, sandbox, **environment):
        self.folder, self.sandbox = folder, sandbox
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "COLUMNS"))}
        lake = {"AIRFLOW__INTERACTIONS__LAKE": str(folder / "lake")}
        self.environment = kept | lake | {"COLUMNS": "80", "PYTHONPATH": str(ROOT)} | self.variables() | environment

    def variables(self):
        """The sandbox's connections as Airflow's variables."""
        return {
            f"AIRFLOW_CONN_{name.upper()}_DEFAULT": json.dumps(known)
            for name, known in self.sandbox.connections.items()
        }

    def start(self, *words, **more):
        """Start the command and do not wait for its end."""
        return subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C must reach it even if the tests run in the background of a script, which ignores that signal.
            preexec_fn=_listen_to_interrupts,  # noqa: PLW1509 - these tests have no threads
            **more,
        )

    def run(self, *words, code=0, given=""):
        """Run the command; it must end with this exit code, and without a traceback."""
        process = self.start(*words)
        out, err = process.communicate(given, timeout=120)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    def ask(self, *words, **more):
        """Run the command with --json; what its one line holds."""
        out, _ = self.run(*words, "--json", **more)
        [line] = out.splitlines()
        found = json.loads(line)
        assert list(found) == ["command", "exit_code", "result", "error"]
        assert found["command"] == words[0]
        assert found["exit_code"] == more.get("code", 0)
        assert (found["error"] is None) == (found["exit_code"] == 0)
        return found["result"] if found["error"] is None else found["error"]


def _listen_to_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
