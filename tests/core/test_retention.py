"""Retention: what is old goes, whatever interrupts it; what is young, unfinished or not normalized stays."""

import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.coverage.read import read_coverage
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.commit import commit_or_follow
from airflow_provider_interactions.extract.retention import Retention, read_retention, sweep
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, timestamp
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import load_window
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.window import ALWAYS, Window

NAME = "dynamics_marketing"
ACCOUNT = AccountPaths(NAME, "acme")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALL = Retention(raw=10, canonical=10, history=10, rejects=10, requests=10, contacts=10)
LAYERS = ("raw", "interactions", "history", "rejects", "requests", "contacts")


def days(number):
    return NOW - timedelta(days=number)


def fill(desk, age=20):
    """Two windows of an age, and a young file and one of that age in each other layer."""
    for day in (2, 3):
        window = Window.of(f"2026-01-0{day}", f"2026-01-0{day + 1}")
        at = f"2026-01-0{day}T10:00:00Z"
        raw = desk.land(desk.record(Timestamp=at), b"no json", window=window, extracted_at=days(age))
        normalize(desk.lake, raw, rejects_share=1.0, now=days(age))
    for old in (age, 1):
        stamp = timestamp(days(old))
        history = Manifest(
            vendor=NAME, account="acme", window_start=ALWAYS.start, window_end=ALWAYS.end, extracted_at=days(old)
        )
        desk.lake.publish(f"{ACCOUNT.folder('history')}/history-abc-{stamp}-00000.json", history)
        desk.lake.write(f"{ACCOUNT.folder('history')}/rows-{stamp}.parquet", b"")
        desk.lake.write(f"{ACCOUNT.folder('contacts')}/window=x/contacts-{stamp}.parquet", b"")
        desk.lake.write(f"{ACCOUNT.folder('requests')}/{stamp}-12345678.html", b"")
        desk.lake.write(f"requests/vendor=all/account=all/{stamp}-12345678.jsonl", b"")


def list_data(desk):
    """Every file but manifests."""
    return [path for path in desk.files() if path.startswith(LAYERS) and not path.endswith("manifest.json")]


def test_each_layer_goes_by_its_own_age_and_the_window_stays_complete(any_desk):
    fill(any_desk)
    before = read_states(any_desk)
    assert sum(sweep(any_desk.lake, ACCOUNT, ALL, NOW).values()) > 0
    assert [path for path in list_data(any_desk) if timestamp(days(1)) not in path] == []
    assert len(list_data(any_desk)) == 5
    assert read_states(any_desk) == before
    assert sweep(any_desk.lake, ACCOUNT, ALL, NOW) == {}


def read_states(desk):
    """What the coverage page shows of each window."""
    return [(cell.start, cell.end, cell.state, cell.counts) for cell in read_coverage(desk.lake, now=NOW)]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_goes_alone(desk, layer):
    fill(desk)
    before = list_data(desk)
    name = "canonical" if layer == "interactions" else layer
    nothing = dict.fromkeys(Retention.__struct_fields__)
    removed = sweep(desk.lake, ACCOUNT, read_retention(nothing | {name: 10}), NOW)
    gone = set(before) - set(list_data(desk))
    assert removed == {layer: len(gone)}
    assert {path.partition("/")[0] for path in gone} == {layer}


def test_by_default_only_answers_and_lists_go(desk):
    fill(desk, age=31)
    assert set(sweep(desk.lake, ACCOUNT, read_retention(None), NOW)) == {"requests", "contacts"}


@pytest.mark.parametrize("account", ["account=acme", "account=all"])
def test_answers_count_wherever_they_are(desk, account):
    vendor = "all" if account == "account=all" else NAME
    desk.lake.write(f"requests/vendor={vendor}/{account}/{timestamp(days(40))}-12345678.html", b"")
    assert sweep(desk.lake, ACCOUNT, Retention(), NOW) == {"requests": 1}


@given(st.integers(2, 40), st.integers(2, 40))
def test_nothing_younger_than_the_days_goes(memory_desk, age, kept):
    for path in memory_desk.files():
        memory_desk.lake.remove([path])
    fill(memory_desk, age)
    before = list_data(memory_desk)
    found = sweep(memory_desk.lake, ACCOUNT, Retention(*[kept] * 6), NOW)
    if age < kept:
        assert (found, list_data(memory_desk)) == ({}, before)
    else:
        assert list_data(memory_desk) == [path for path in before if timestamp(days(1)) in path]


class Killed(BaseException):
    """The process ends."""


def kill_at(monkeypatch, lake, number, *, before):
    """End the process at one of the operations that change the lake, just before or just after it."""
    left = [number]

    def wrap(owner, name):
        known = getattr(owner, name)

        def call(*arguments, **more):
            left[0] -= 1
            if left[0] == 0 and before:
                raise Killed
            found = known(*arguments, **more)
            if left[0] == 0:
                raise Killed
            return found

        monkeypatch.setattr(owner, name, call)

    wrap(Lake, "write")
    wrap(lake.fs, "rm_file")
    return left


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_operation_another_run_goes_on(desk, tmp_path, before):
    fill(desk)
    whole = type(desk)(Lake.at(shutil.copytree(desk.lake.root, tmp_path / "whole")))
    sweep(whole.lake, ACCOUNT, ALL, NOW)
    expected = {path: whole.lake.read_bytes(path) for path in whole.files() if not path.endswith(".parquet")}
    for number in range(1, 100):
        one = type(desk)(Lake.at(shutil.copytree(desk.lake.root, tmp_path / f"n{number}")))
        with pytest.MonkeyPatch.context() as patch:
            left = kill_at(patch, one.lake, number, before=before)
            with suppress(Killed):
                sweep(one.lake, ACCOUNT, ALL, NOW)
        if left[0] > 0:
            break
        for manifest in read_manifests(one):
            assert all(one.lake.exists(path) for path in manifest.paths)
        sweep(one.lake, ACCOUNT, ALL, NOW)
        assert one.files() == whole.files()
        assert {path: one.lake.read_bytes(path) for path in expected} == expected
    assert number > 20


def read_manifests(desk):
    return [
        desk.lake.read(path, Manifest)
        for path in desk.files()
        if path.startswith(("raw/", "manifests/")) and path.endswith(".json")
    ]


# What others see afterwards


def test_raw_that_is_gone_is_said_to_whoever_normalizes_again(desk):
    raw = desk.land(desk.record(), extracted_at=days(20))
    done = normalize(desk.lake, raw, now=days(20))
    sweep(desk.lake, ACCOUNT, Retention(raw=10), NOW)
    assert desk.rows(done.files)
    current = commit_or_follow(desk.lake, [raw])  # a task from before that is cleared
    with pytest.raises(ConfigError, match=r"raw records of window .* were removed by retention.*extract it again"):
        normalize(desk.lake, current)
    assert desk.lake.read(done.place.manifest, Manifest).files == done.files


def test_canonical_files_that_are_gone_are_not_loaded_and_the_table_stays(desk, tmp_path):
    raw = desk.land(desk.record(), extracted_at=days(20))
    done, table = normalize(desk.lake, raw, now=days(20)), DuckDBTable(str(tmp_path / "x.duckdb"))
    load_window(desk.lake, done, table)
    sweep(desk.lake, ACCOUNT, Retention(canonical=10), NOW)
    with pytest.raises(ConfigError, match=r"were removed by retention.*normalize it again"):
        load_window(desk.lake, done, table)
    again = normalize(desk.lake, raw, now=days(0))
    assert sweep(desk.lake, ACCOUNT, Retention(canonical=10), NOW) == {}  # it is as old as its normalization
    assert load_window(desk.lake, again, table)[1].unchanged == 1


def test_a_window_that_is_not_normalized_stays(desk):
    first = desk.land(desk.record(), extracted_at=days(30))
    normalize(desk.lake, first, now=days(30))
    newer = desk.land(desk.record(), extracted_at=days(20))
    sweep(desk.lake, ACCOUNT, ALL, NOW)
    assert desk.rows(newer.files)
    assert desk.lake.read(newer.place.raw_manifest, Manifest) == newer


def test_a_window_that_is_extracted_again_is_whole(desk):
    normalize(desk.lake, desk.land(desk.record(), extracted_at=days(20)), now=days(20))
    sweep(desk.lake, ACCOUNT, ALL, NOW)
    done = normalize(desk.lake, desk.land(desk.record(), extracted_at=days(0)), now=days(0))
    assert len(desk.rows(done.files)) == 1
    assert (done.swept, done.leaving) == ((), ())


@pytest.mark.parametrize("given", [{"raw": 0}, {"raws": 3}, {"raw": "soon"}, {"contacts": -1}])
def test_what_is_wrong_is_named(given):
    with pytest.raises(ConfigError, match=r"retention .*raw|retention of contacts"):
        read_retention(given)
