"""Replacing a small file only if nobody else has replaced it meanwhile: on a disk, on S3, Azure and Google."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from clients import find_variables, open_lake, stop_waiting

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.lake import swap
from airflow_provider_interactions.lake.faults import translate_faults
from airflow_provider_interactions.lake.storage import Lake
from tests.fault_proxy import fault_proxy

STORES = ("s3", "azure", "gcs")

PATH = "manifests/one.json"
WRITERS, TIMES = 4, 5


def add_words(url, writer):
    """Add words of one's own, one after the other: two writers that wrote the same would not be told apart."""
    lake = Lake.at(url)
    for n in range(TIMES):
        while True:
            data = lake.read_bytes(PATH)
            if swap.replace_if_unchanged(lake, PATH, data + f" {writer}-{n}".encode(), data):
                break


def check_no_word_is_lost(url):
    Lake.at(url).write(PATH, b"first")
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(lambda writer: add_words(url, writer), range(WRITERS)))
    words = Lake.at(url).read_bytes(PATH).decode().split()
    assert sorted(words) == sorted(["first", *(f"{writer}-{n}" for writer in range(WRITERS) for n in range(TIMES))])


@pytest.mark.one_of_each
def test_of_many_replacements_on_a_store_none_is_lost(store, request):
    check_no_word_is_lost(store.folder(request.node.name))


def test_of_many_replacements_on_a_disk_none_is_lost(tmp_path):
    check_no_word_is_lost(str(tmp_path))


def write_late(lake, url, monkeypatch):
    """Another task writes at the worst moment: after the comparison, before the write."""
    name = "call" if lake.fs.protocol == ("gs", "gcs") else "pipe_file"
    write = getattr(lake.fs, name)

    def wait(*arguments, **more):
        if name == "pipe_file" and not arguments[0].endswith(PATH):
            return write(*arguments, **more)
        monkeypatch.setattr(lake.fs, name, write)
        Lake.at(url).write(PATH, b"theirs")
        return write(*arguments, **more)

    monkeypatch.setattr(lake.fs, name, wait)


def test_a_file_that_changes_between_the_comparison_and_the_write_stays(store, request, monkeypatch):
    url = store.folder(request.node.name)
    lake = Lake.at(url)
    lake.write(PATH, b"former")
    write_late(lake, url, monkeypatch)
    assert not swap.replace_if_unchanged(lake, PATH, b"mine", b"former")
    assert lake.read_bytes(PATH) == b"theirs"


def test_a_file_that_appears_before_it_is_made_stays(store, request, monkeypatch):
    url = store.folder(request.node.name)
    lake = Lake.at(url)
    shared = swap.open_shared_object(lake, PATH)
    assert shared.check()
    assert shared.read() == (b"", "")
    write_late(lake, url, monkeypatch)
    assert not shared.swap(b"mine", "")
    assert shared.read()[0] == b"theirs"


def test_a_write_whose_answer_is_lost_counts(store, request, monkeypatch):
    """The client sends it again, and the store refuses that: the file is another one by now."""
    stop_waiting(store, monkeypatch)
    url, path = store.folder(request.node.name), "other/one.json"
    Lake.at(url).write(path, b"former")
    with fault_proxy(store.server) as proxy:
        for variable, value in find_variables(store, proxy.url).items():
            monkeypatch.setenv(variable, value)
        lake, once = open_lake(store, url), count()
        proxy.choose = lambda method, _: "mute" if method in {"PUT", "POST"} and next(once) == 0 else None
        assert swap.replace_if_unchanged(lake, path, b"mine", b"former")
    assert proxy.count("mute") == 1
    assert next(once) > 1
    assert lake.read_bytes(path) == b"mine"


def test_a_file_in_a_bucket_that_is_not_there_is_an_error(store):
    bucket = store.url.replace("lakes", "no-such-lake")
    with pytest.raises(ConfigError, match="The lake cannot be written"), translate_faults():
        swap.open_shared_object(Lake.at(bucket), PATH).swap(b"mine", "")


def test_a_file_that_is_another_one_or_absent_is_not_written(store, request):
    lake = Lake.at(store.folder(request.node.name))
    assert not swap.replace_if_unchanged(lake, PATH, b"mine", b"former")
    lake.write(PATH, b"theirs")
    assert not swap.replace_if_unchanged(lake, PATH, b"mine", b"former")
    assert lake.read_bytes(PATH) == b"theirs"
