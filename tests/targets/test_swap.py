"""Compare and swap on SeaweedFS, by several clients at once."""

import threading

from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import open_shared_object


def test_of_many_swaps_none_is_lost(seaweedfs, bucket):
    where = {"endpoint_url": seaweedfs.endpoint, "region_name": seaweedfs.region}

    def open_counter():
        lake = Lake.at(f"s3://{bucket}/lake", key=seaweedfs.key, secret=seaweedfs.secret, client_kwargs=where)
        return open_shared_object(lake, "limits/count.json")

    def count():
        shared = open_counter()
        assert shared.check()
        for _ in range(10):
            while True:
                data, version = shared.read()
                if shared.swap(str(int(data or b"0") + 1).encode(), version):
                    break

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert open_counter().read()[0] == b"40"
