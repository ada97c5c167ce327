"""A process that loads windows: ``python -m tests.targets.load_windows CASE LAKE PLACE``.

It writes a line when it is ready, reads the manifests from its input, loads them, and writes what was loaded.
"""

import json
import sys

import msgspec
import stamina

from airflow_provider_interactions.lake.manifest import unpack
from airflow_provider_interactions.lake.storage import Lake
from tests.targets import cases


def main():
    """Load what the input names."""
    name, lake, place = sys.argv[1:]
    stamina.instrumentation.set_on_retry_hooks([])  # structlog would write to the same output
    target = getattr(cases, name).open(place)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    manifests = [unpack(one) for one in json.loads(sys.stdin.readline())]
    done = [msgspec.to_builtins(target.load(Lake.at(lake), one)) for one in manifests]
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
