"""Erasing one person of ten million rows, who is in every row group, against copying the same files."""

import tempfile

from tests.bench.erasing import write_lake
from tests.bench.processes import count_turns, run

SIZES = (1_000_000, 10_000_000)

#: Fewer rows do not have all 50,000 people.
LEAST = 100_000

#: Of each measurement by turns, the best counts: the machine is somebody else's, too.
TURNS = 2


def erase(share):
    """Windows of a million rows and of ten million, raw and canonical; each step is a process of its own."""
    for rows in sorted({max(LEAST, int(size * share)) for size in SIZES}):
        with tempfile.TemporaryDirectory() as folder:
            write_lake(folder, rows)
            found = {"copy": [], "erase": []}
            for turn in range(count_turns(share, TURNS)):
                for name, runs in found.items():
                    runs.append(run(name, {"BENCH_LAKE": folder, "BENCH_TURN": str(turn)}, "erasing"))
        (copied, erased) = (_choose_best(runs) for runs in found.values())
        peak = max(one.peak for one in found["erase"])
        files = found["erase"][0].said["files"]
        name = f"erase a person from {files} files of {rows:,} raw and {rows:,} canonical rows, and search them"
        cpu, wall = copied["cpu"] / erased["cpu"], copied["wall"] / erased["wall"]
        measured = f"{cpu:.0%} by CPU, {wall:.0%} by the clock; {erased['wall']:.1f} s; peak {peak:,.0f} MB"
        yield f"{name}: speed against copying", measured, "≥ 50 %"


def _choose_best(runs):
    """The fewest seconds of CPU and by the clock, without start-up."""
    return {name: min(one.said[name] for one in runs) for name in ("cpu", "wall")}
