"""A load of ``rows.write_rows`` in a process of its own: ``python -m tests.bench.peak CASE PLACE LAKE TABLE``.

It prints the seconds of wall time and CPU, the counts, and the most memory (MB) that the process had.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from tests.bench.rows import PLACE
from tests.targets import cases

ROOT = Path(__file__).parents[2]


def load(case, place, lake, table="interactions"):
    """Load the window by a process of its own; what that process printed."""
    command = [sys.executable, "-m", "tests.bench.peak", case, place, lake.root, table]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main():
    """Load, and print what it took."""
    case, place, root, table = sys.argv[1:]
    lake = Lake.at(root)
    began, cpu = time.monotonic(), time.process_time()
    done = getattr(cases, case).open(place, table).load(lake, lake.read(PLACE.manifest, Manifest))
    spent = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
    # Not ru_maxrss: that begins with the memory of the process that started this one.
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    print(json.dumps({**spent, "peak": peak, "loaded": msgspec.to_builtins(done)}))


if __name__ == "__main__":
    main()
