"""Raw records that are encrypted with a key for each of 50,000 contacts, against raw records as they are."""

import tempfile

from tests.bench.erasing import write_lake
from tests.bench.processes import count_turns, run

#: Of each measurement by turns, the best counts: the machine is somebody else's, too.
TURNS = 2


def encrypt(share):
    """Half a million records, written and normalized; each step is a process of its own."""
    rows = int(500_000 * share)
    found = {(step, mode): [] for step in ("land", "normalize") for mode in ("yes", "no")}
    with tempfile.TemporaryDirectory() as folder:
        write_lake(f"{folder}/source", rows)
        for turn in range(count_turns(share, TURNS)):
            for (step, mode), runs in found.items():
                env = {"BENCH_LAKE": f"{folder}/source", "BENCH_TO": f"{folder}/{turn}{mode}", "BENCH_ENCRYPTED": mode}
                runs.append(run(step, env, "encrypting").said)
    for step, what in (("land", "written to raw"), ("normalize", "normalized")):
        slow, fast = (min(one["cpu"] for one in found[step, mode]) for mode in ("yes", "no"))
        yield f"{rows:,} encrypted records, {what}: CPU against plain ones", f"{slow / fast:.1f} ×", "-"
    sizes = [found["land", mode][0]["bytes"] / rows for mode in ("yes", "no")]
    yield "the same, bytes a record in raw", f"{sizes[0]:.0f}, plain {sizes[1]:.0f}", "-"
