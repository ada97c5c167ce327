"""Replacing a small file only if nobody else has replaced it meanwhile: on a disk, on S3 and on Azure."""

import threading

from airflow_provider_interactions.lake import swap
from airflow_provider_interactions.lake.storage import Lake

PATH = "manifests/one.json"


def count_up(url, times):
    lake = Lake.at(url)
    for _ in range(times):
        while True:
            data = lake.read_bytes(PATH)
            if swap.replace_if_unchanged(lake, PATH, str(int(data) + 1).encode(), data):
                break


def check_all_count(url):
    Lake.at(url).write(PATH, b"0")
    threads = [threading.Thread(target=count_up, args=(url, 5)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert Lake.at(url).read_bytes(PATH) == b"20"


def test_of_many_replacements_on_a_store_none_is_lost(store, request):
    check_all_count(store.folder(request.node.name))


def test_of_many_replacements_on_a_disk_none_is_lost(tmp_path):
    check_all_count(str(tmp_path))


def test_a_file_that_changes_between_the_comparison_and_the_write_stays(store, request, monkeypatch):
    """Another task writes at the worst moment."""
    lake = Lake.at(store.folder(request.node.name))
    lake.write(PATH, b"former")
    pipe_file = lake.fs.pipe_file

    def write_late(*arguments, **more):
        Lake.at(store.folder(request.node.name)).write(PATH, b"theirs")
        return pipe_file(*arguments, **more)

    monkeypatch.setattr(lake.fs, "pipe_file", write_late)
    assert not swap.replace_if_unchanged(lake, PATH, b"mine", b"former")
    assert lake.read_bytes(PATH) == b"theirs"


def test_a_file_that_is_another_one_or_absent_is_not_written(store, request):
    lake = Lake.at(store.folder(request.node.name))
    assert not swap.replace_if_unchanged(lake, PATH, b"mine", b"former")
    lake.write(PATH, b"theirs")
    assert not swap.replace_if_unchanged(lake, PATH, b"mine", b"former")
    assert lake.read_bytes(PATH) == b"theirs"
