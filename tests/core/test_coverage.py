"""Coverage: the state of every window, read through an index that must never show anything but the manifests."""

import os
import time
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.coverage.cells import RUNNING_AGE, State
from airflow_provider_interactions.coverage.index import AGE, refresh_index
from airflow_provider_interactions.coverage.ledger import Step, write_step
from airflow_provider_interactions.coverage.read import find_gaps, read_coverage
from airflow_provider_interactions.extract.checkpoint import Checkpoint, CheckpointStore
from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, name_index, name_pending, read_window
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.window import ALWAYS, Window

NAME, ACCOUNT = "dynamics_marketing", "acme"
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def day(number):
    return Window(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def states(lake, **asked):
    return [str(cell.state) for cell in read_coverage(lake, now=NOW, **asked)]


def record(desk, number, name="A"):
    return desk.record(InteractionId=name * 32, Timestamp=f"{day(number).start:%Y-%m-%dT10:00:00Z}")


def save_checkpoint(lake, window, at, **state):
    place = WindowPaths(NAME, ACCOUNT, window)
    store = CheckpointStore.of(lake, place, "a run")
    lake.publish(f"{store.folder}/state.json", Checkpoint(extracted_at=at, saved_at=at, **state))


def test_each_state(desk):
    bad = desk.record(Timestamp="yesterday")
    desk.normalize(record(desk, 0), window=day(0))
    desk.normalize(window=day(1))
    desk.normalize(record(desk, 2), bad, window=day(2))
    desk.land(record(desk, 4), window=day(4))
    desk.normalize(record(desk, 5), window=day(5))
    desk.land(record(desk, 5), window=day(5), extracted_at=NOW)
    save_checkpoint(desk.lake, day(6), NOW - RUNNING_AGE)
    save_checkpoint(desk.lake, day(7), NOW - RUNNING_AGE / 2)
    assert states(desk.lake, within=Window(FIRST, FIRST + 8 * DAY)) == [
        *("complete", "empty", "rejects", "never", "stale", "stale", "failed", "running")
    ]


def test_failed_contacts_are_not_complete(desk):
    whole = desk.normalize(record(desk, 0), window=day(0))
    counts = Counts(contacts=2, ok=1, failed=1, landed=1, canonical=1)
    desk.lake.publish(whole.place.manifest, msgspec.structs.replace(whole, counts=counts))
    assert states(desk.lake) == ["partial"]


def test_a_cell_has_the_manifests_counts(desk):
    manifest = desk.normalize(record(desk, 0), desk.record(Timestamp="yesterday"), window=day(0))
    [cell] = read_coverage(desk.lake)
    assert (cell.vendor, cell.account, cell.window) == (NAME, ACCOUNT, day(0))
    assert cell.manifest == manifest.place.manifest
    assert cell.counts == manifest.counts
    assert (cell.rows, cell.rejects, cell.bytes) == (1, 1, sum(file.bytes for file in manifest.files))
    assert cell.extracted_at == manifest.extracted_at
    assert cell.published_at > cell.extracted_at


def test_a_failed_run_after_a_complete_one_shows(desk):
    desk.normalize(record(desk, 0), window=day(0))
    published = read_coverage(desk.lake)[0].published_at
    save_checkpoint(desk.lake, day(0), published - DAY)
    assert states(desk.lake) == ["complete"], "what an older run left is not a failure of this one"
    save_checkpoint(desk.lake, day(0), published + DAY)
    [cell] = read_coverage(desk.lake, now=published + 2 * DAY)
    assert (cell.state, cell.rows) == (State.FAILED, 1)


def end_try(lake, window, at, state="failed", step="extract", account=ACCOUNT, **facts):
    about = {"vendor": NAME, "account": account, "window_start": window.start, "window_end": window.end}
    write_step(lake, Step(step=step, state=state, started_at=at, ended_at=at, seconds=1.0, **about, **facts))


STEPS = st.sampled_from(["list", "extract", "normalize", "load"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(tries=st.lists(st.tuples(STEPS, st.integers(0, 1), st.sampled_from(["failed", "success", "deferred"]))))
def test_a_window_is_failed_if_the_last_try_of_a_step_failed(memory_desk, tries):
    account, last = uuid.uuid4().hex, {}
    for number, (step, batch, state) in enumerate(tries):
        end_try(memory_desk.lake, day(0), NOW + number * DAY, state, step, account, batch=batch)
        last[step, batch] = state
    expected = ["failed"] if "failed" in last.values() else []
    assert states(memory_desk.lake, account=account) == expected


def test_a_failed_try_counts_until_the_window_is_published(desk):
    desk.normalize(record(desk, 0), window=day(0))
    published = read_coverage(desk.lake)[0].published_at
    end_try(desk.lake, day(0), published - DAY)
    assert states(desk.lake) == ["complete"]
    end_try(desk.lake, day(0), published + DAY, step="load")
    assert states(desk.lake) == ["failed"]
    assert [cell.window for cell in find_gaps(read_coverage(desk.lake, now=NOW))] == [day(0)]
    end_try(desk.lake, day(0), published + DAY, "success", "load")
    assert states(desk.lake) == ["complete"]


def test_a_failed_try_is_not_running_though_it_saved_its_progress(desk):
    save_checkpoint(desk.lake, day(0), NOW - timedelta(minutes=2))
    end_try(desk.lake, day(0), NOW - timedelta(minutes=1))
    assert states(desk.lake) == ["failed"]
    save_checkpoint(desk.lake, day(0), NOW)
    assert states(desk.lake) == ["running"]


def test_only_failed_rows_of_the_ledger_are_read(desk, count_reads):
    for number in range(4):
        end_try(desk.lake, day(number), NOW, "failed" if number == 2 else "success")
        end_try(desk.lake, day(number), NOW + DAY, "success", "load")
    [name] = count_reads(desk.lake, ".parquet")
    assert "-failed-" in name


def test_other_files_of_the_ledger_are_no_failures(desk):
    desk.lake.write(f"ledger/date={NOW.date()}/notes-failed.parquet", b"")
    assert states(desk.lake) == []


def test_an_unfinished_long_window_shows_in_the_gaps_that_it_would_fill(desk):
    desk.normalize(record(desk, 0), window=day(0))
    save_checkpoint(desk.lake, Window(day(1).start, day(3).end), NOW)
    assert states(desk.lake, within=Window(FIRST, day(4).end)) == ["complete", *3 * ["running"], "never"]


def test_a_history_that_is_being_fetched_is_no_window(desk):
    save_checkpoint(desk.lake, ALWAYS, NOW)
    assert states(desk.lake, within=Window(FIRST, day(4).end)) == []


def test_gaps_have_the_length_and_the_rhythm_of_the_other_windows(desk):
    hour = timedelta(hours=1)
    for n in (3, 4, 8):
        desk.normalize(window=Window(FIRST + n * hour, FIRST + (n + 1) * hour))
    within = Window(FIRST + 1.5 * hour, FIRST + 10 * hour)
    gaps = [cell.window for cell in find_gaps(read_coverage(desk.lake, within=within))]
    edges = [(1.5, 2), (2, 3), (5, 6), (6, 7), (7, 8), (9, 10)]
    assert gaps == [Window(FIRST + start * hour, FIRST + end * hour) for start, end in edges]


@settings(max_examples=200, deadline=None)
@given(
    windows=st.sets(st.tuples(st.integers(0, 40), st.sampled_from([1, 1, 1, 7])), min_size=1),
    start=st.integers(-5, 45),
    length=st.integers(1, 60),
)
def test_windows_and_gaps_cover_all_of_the_time(windows, start, length):
    from airflow_provider_interactions.coverage.read import _find_gaps

    known = {Window(FIRST + at * DAY, FIRST + (at + days) * DAY) for at, days in windows}
    within = Window(FIRST + start * DAY, FIRST + (start + length) * DAY)
    gaps = list(_find_gaps(sorted((window.start, window.end) for window in known), [], within))
    covered = {at for window in known for at in window.split(DAY)}
    missing = [at for gap in gaps for at in gap.split(DAY)]
    assert missing == [at for at in within.split(DAY) if at not in covered]


def test_only_the_chosen_accounts(desk):
    for account in ("acme", "a/b <i>", ".."):
        desk.normalize(window=day(0), account=account)
    assert [cell.account for cell in read_coverage(desk.lake)] == ["..", "a/b <i>", "acme"]
    assert [cell.account for cell in read_coverage(desk.lake, account="a/b <i>")] == ["a/b <i>"]
    assert read_coverage(desk.lake, vendor="which50") == []


def test_a_newer_history_is_a_hint(desk):
    manifest = desk.normalize(window=day(0))
    for asked, found in (("other", None), ("", NOW)):
        always = {"window_start": ALWAYS.start, "window_end": ALWAYS.end}
        history = msgspec.structs.replace(manifest, **always, extracted_at=NOW, asked=asked)
        desk.lake.publish(f"{manifest.place.histories}/history-{asked}-0.json", history)
        [cell] = read_coverage(desk.lake)
        assert (cell.state, cell.newer_history) == (State.EMPTY, found)


def test_names_of_windows_can_be_read_back():
    for window in (day(0), ALWAYS, Window(FIRST + timedelta(microseconds=5), FIRST + DAY)):
        assert read_window(f"window={window.slug}") == read_window(f"window={window.slug}.json") == window
    assert read_window("window=yesterday") is read_window("README") is read_window("window=20260102-20260101") is None


def read_all(lake):
    """State and counts of each window, by reading every manifest of the lake: what the index must agree with."""
    found = {}
    for path in lake.fs.find(lake.root):
        layer = lake.fs._strip_protocol(path).removeprefix(lake.fs._strip_protocol(lake.root)).split("/")[1]
        if path.endswith(".json") and layer in ("raw", "manifests"):
            manifest = msgspec.json.decode(lake.fs.cat_file(path), type=Manifest)
            found.setdefault((manifest.account, manifest.window), {})[layer] = manifest
    return {key: _describe(both.get("raw"), both.get("manifests")) for key, both in found.items()}


def _describe(raw, done):
    shown = done or raw
    if done is None or (raw is not None and raw.extracted_at != done.extracted_at):
        state = "stale"
    elif done.counts.rejected:
        state = "rejects"
    else:
        state = "complete" if done.counts.landed else "empty"
    return state, shown.counts, sum(file.bytes for file in shown.files), shown.extracted_at


def read_indexed(lake):
    return {
        (cell.account, cell.window): (str(cell.state), cell.counts, cell.bytes, cell.extracted_at)
        for cell in read_coverage(lake, now=NOW)
        if cell.state != State.NEVER
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["land", "normalize", "normalize", "look", "erase", "forget", "damage", "die"]),
        st.sampled_from(["acme", "b<b>"]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=12,
)


def play(desk, steps):
    """Play steps in a lake; each may change it behind the back of the index."""
    lake = desk.lake
    for n, (step, account, number, size) in enumerate(steps):
        place = WindowPaths(NAME, account, day(number))
        raw = lake.read(place.raw_manifest, Manifest)
        payloads = [record(desk, number, name) for name in "ABC"[:size]]
        if step == "land":
            broken = [desk.record(Timestamp="yesterday")] * (size == 3)
            desk.land(*payloads, *broken, account=account, window=day(number), extracted_at=NOW + n * DAY)
        elif step == "normalize" and raw:
            normalize(lake, raw)
        elif step == "erase":
            lake.remove([place.manifest, place.raw_manifest])
        elif step == "forget":
            lake.remove([name_index(NAME, account)])
        elif step == "damage":
            lake.write(name_index(NAME, account), b"\x00" * size)
        elif step == "die":  # between the mark and the manifest
            lake.publish(name_pending(place, NOW + n * DAY), {})
        elif step == "look":
            read_indexed(lake)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_index_agrees_with_all_manifests(memory_desk, steps):
    lake = memory_desk.lake
    for path in lake.fs.find(lake.root):
        lake.fs.rm_file(path)
    play(memory_desk, steps)
    assert read_indexed(lake) == read_all(lake)
    assert read_indexed(lake) == read_all(lake), "and so it does at the second look"


@pytest.fixture
def count_reads(monkeypatch):
    """The files with an ending that a look reads: the manifests."""

    def count(lake, ending=".json"):
        found = []
        with monkeypatch.context() as patch:
            read = type(lake.fs).cat_file
            patch.setattr(
                type(lake.fs), "cat_file", lambda fs, path, *args: found.append(path) or read(fs, path, *args)
            )
            read_coverage(lake, now=NOW)
        return sorted(path.rpartition("/")[2] for path in found if path.endswith(ending))

    return count


def settle(lake):
    """Make all files older than the tick of a disk's clock."""
    for path in lake.fs.find(lake.root) if lake.local else ():
        os.utime(path, (time.time() - 60, time.time() - 60))


def test_a_look_reads_only_what_has_changed(any_desk, count_reads):
    lake = any_desk.lake
    for n in range(3):
        any_desk.normalize(record(any_desk, n), window=day(n))
    settle(lake)
    names = [f"window={day(n).slug}.json" for n in range(3)]
    assert count_reads(lake) == names
    assert count_reads(lake) == []
    any_desk.normalize(window=day(1), extracted_at=NOW)
    assert count_reads(lake) == names[1:2]


def test_a_run_brings_an_old_index_up_to_date(any_desk, count_reads):
    lake, now = any_desk.lake, datetime.now(UTC)
    place = AccountPaths(NAME, ACCOUNT)
    for n in range(3):
        any_desk.normalize(record(any_desk, n), window=day(n))
    settle(lake)
    refresh_index(lake, place, now)
    assert count_reads(lake) == [], "the first look finds all manifests in the index"
    any_desk.normalize(record(any_desk, 3), window=day(3))
    settle(lake)
    index = lake.read_bytes(name_index(NAME, ACCOUNT))
    refresh_index(lake, place, now + AGE / 2)
    assert lake.read_bytes(name_index(NAME, ACCOUNT)) == index, "it is young"
    refresh_index(lake, place, now + 2 * AGE)
    assert count_reads(lake) == []


def test_a_file_just_written_is_read_again_because_the_next_may_look_the_same(desk, count_reads):
    desk.normalize(record(desk, 0), window=day(0))
    assert count_reads(desk.lake) == count_reads(desk.lake) != []


def test_a_lake_that_cannot_be_written_can_be_looked_at(desk, caplog, monkeypatch):
    desk.normalize(record(desk, 0), window=day(0))
    monkeypatch.setattr("shutil.move", _refuse)
    with caplog.at_level("INFO"):
        assert states(desk.lake) == ["complete"]
    assert "the next look reads them again" in caplog.text
    assert not [path for path in desk.files() if path.startswith("index")]


def _refuse(*_):
    raise PermissionError
