"""Small objects on an S3 server: the lake by s3fs beside obstore, in wall and CPU time; see docs/object-stores.md.

obstore is no dependency: ``.uv/bin/uv run --with obstore python -m tests.bench.stores``.
"""

import argparse
import time

from airflow_provider_interactions.lake.storage import Lake
from tests import servers

BODY = {"rows": "x" * 1500}  # about a manifest's size


def lakes(server, bucket):
    """The lake by each client, its own way of reaching the server."""
    options = {"key": server.key, "secret": server.secret, "endpoint_url": server.endpoint}
    yield "s3fs", Lake.at(f"s3://{bucket}/s3fs", **options)
    from obstore.fsspec import FsspecStore

    config = {"access_key_id": server.key, "secret_access_key": server.secret, "endpoint": server.endpoint}
    client = {"allow_http": True}
    store = FsspecStore("s3", config={**config, "region": server.region}, client_options=client)
    yield "obstore by fsspec", Lake.at(f"{bucket}/obstore", store)


def measure(lake, number):
    """Milliseconds of wall and of CPU for each call: put, get, list of ``number``."""
    paths = [f"m/{n}.json" for n in range(number)]
    lake.publish("m/0.json", BODY)  # the connection
    yield "put", number, lambda: [lake.publish(path, BODY) for path in paths]
    yield "get", number, lambda: [lake.read(path, dict) for path in paths]
    yield f"list {number}", 10, lambda: [lake.list_names("m") for _ in range(10)]


def timed(run):
    """Milliseconds of wall and of CPU."""
    before = time.perf_counter(), time.process_time()
    run()
    after = time.perf_counter(), time.process_time()
    return [1000 * (end - start) for start, end in zip(before, after, strict=True)]


def main():
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=300)
    number = parser.parse_args().number
    print("| client | call | ms | ms of CPU |\n|---|---|---|---|")
    with servers.seaweedfs() as server, servers.bucket(server) as bucket:
        for name, lake in lakes(server, bucket):
            for what, calls, run in measure(lake, number):
                wall, cpu = timed(run)
                print(f"| {name} | {what} | {wall / calls:.1f} | {cpu / calls:.1f} |")


if __name__ == "__main__":
    main()
