"""Bulk vendors: rows of tables become raw rows, each once, whatever the format."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables_rig import DAY, FIRST, build_rows, build_vendor, day, row

from airflow_provider_interactions.contract import Contact, Options
from airflow_provider_interactions.errors import BadResponse, RequestRejected, TooManyRejects
from airflow_provider_interactions.extract.reopened import find_reopened
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.lake.reader import read_rows
from airflow_provider_interactions.tables.open import open_table
from airflow_provider_interactions.tables.payloads import build_payloads

HOUR = timedelta(hours=1)
FORMATS = ("delta", "parquet", "csv")


def keys(records):
    return sorted(json.loads(one["payload"])["IdempotencyId"] for one in records)


@pytest.mark.parametrize("form", FORMATS)
def test_a_window_has_exactly_its_rows(rig, form):
    rows = [row(f"k{n}", FIRST + n * 6 * HOUR, person=f"p{n % 3}") for n in range(12)]
    rig.disk.add("Opened", build_rows(*rows), form)
    rig.disk.add("Sent", build_rows(*rows[:5]), form)
    windows = [rig.run(day(n)) for n in range(3)]
    wanted = [[0, 0, 1, 1, 2, 2, 3, 3], [4, 4, 5, 6, 7], [8, 9, 10, 11]]
    assert [keys(rig.records(one)) for one in windows] == [sorted(f"k{n}" for n in some) for some in wanted]
    assert [one.counts.landed for one in windows] == [8, 5, 4]
    assert all(one.counts.received == one.counts.fetched + one.counts.outside for one in windows)


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_lands_with_its_person_and_its_fields(rig, form):
    at = FIRST + timedelta(microseconds=7)
    rig.disk.add("Opened", build_rows(row("k", at, person="ABC", Link='say "hi"\\\n', Empty=None)), form)
    [found] = rig.records(rig.run(day(0)))
    record = json.loads(found["payload"])
    assert (found["contact_id"], found["contact_id_kind"], found["asked_type"]) == ("abc", "contact", "Opened")
    assert found["occurred_at"] == at
    assert record["Link"] == 'say "hi"\\\n'
    assert "Empty" not in record


def test_the_newest_version_of_a_key_counts_and_the_others_are_superseded(rig):
    rows = [row("k", FIRST + n * HOUR, version) for n, version in enumerate((2, 3, 1, 3))]
    rig.disk.add("Opened", build_rows(*rows, row("other", FIRST)))
    found = rig.records(rig.run(day(0)))
    kept = [one for one in found if not one["context"]]
    assert len(found) == 5
    assert sorted(
        (json.loads(one["payload"])["IdempotencyId"], json.loads(one["payload"])["Version"]) for one in kept
    ) == [
        ("k", 3),
        ("other", 1),
    ]


def test_rows_without_an_instant_are_rejected_and_too_many_fail(rig):
    rows = [row(f"k{n}", FIRST) for n in range(30)]
    rig.disk.add("Opened", build_rows(*rows, row("broken", None)))
    manifest = rig.run(day(0))
    assert (manifest.counts.landed, manifest.counts.undated) == (30, 1)
    rig.disk.add("Opened", build_rows(*(row(f"broken{n}", None) for n in range(30))))
    with pytest.raises(TooManyRejects, match="Timestamp is missing"):
        rig.run(day(0))


@pytest.mark.parametrize("form", FORMATS)
def test_rows_at_an_instant_of_no_window_are_rejected(rig, form):
    rows = [row(f"k{n}", FIRST) for n in range(30)]
    odd = [datetime(1, 1, 1, tzinfo=UTC), datetime(1899, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
    rig.disk.add("Opened", build_rows(*rows, *(row(f"odd{at.year}", at) for at in odd)), form)
    rig.disk.add("Sent", build_rows(row("odd", odd[0]), row("later", FIRST + 9 * DAY)), form)
    manifest = rig.run(day(0), rejects_share=0.5)
    assert (manifest.counts.landed, manifest.counts.undated) == (30, 4)
    assert "in no window" in next(read_rows(rig.lake, manifest.undated)).column("reason")[0].as_py()


def test_given_people_get_their_own_rows_only(rig):
    rows = [row(f"k{n}", FIRST, person=f"P{n % 3}") for n in range(9)]
    rig.disk.add("Opened", build_rows(*rows, row("lead", FIRST, person="p1", ProfileType="Lead")))
    rig.disk.add("Sent", build_rows(*rows))
    people = [Contact("p2", "contact"), Contact("p1", "contact"), Contact("p1", "profile"), Contact("p9", "contact")]
    manifest = extract(rig.job(day(0), people))
    found = [(one["contact_id"], one["contact_id_kind"]) for one in rig.records(manifest)]
    assert found == [("p2", "contact")] * 6 + [("p1", "contact")] * 6 + [("p1", "profile")]
    assert (manifest.counts.contacts, manifest.counts.ok, manifest.counts.empty) == (4, 3, 1)


def test_a_type_of_the_time_that_is_not_published_is_read_as_text(rig):
    rows = [row("a", "2026-03-01T10:00:00+00:00"), row("b", "2026-03-02T10:00:00+00:00"), row("c", "yesterday")]
    rig.disk.add(
        "Opened", build_rows(*rows, *(row(f"x{n}", "2026-03-01T00:00:00Z") for n in range(20)), Timestamp=pa.string())
    )
    manifest = rig.run(day(0))
    assert (manifest.counts.landed, manifest.counts.undated, manifest.counts.outside) == (21, 1, 1)


def test_a_damaged_file_is_an_error_and_nothing_stays(rig):
    rig.disk.add("Opened", build_rows(row("a", FIRST)))
    [file] = (rig.disk.root / "Opened").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadResponse, match="the table Opened has a file that is damaged"):
        rig.run(day(0))
    assert not rig.lake.list_names("raw/vendor=acme")


def test_a_missing_file_and_an_unknown_protocol_are_errors(rig):
    rig.disk.add("Opened", build_rows(row("a", FIRST)))
    log = rig.disk.root / "Opened/_delta_log/00000000000000000000.json"
    text = log.read_text()
    next((rig.disk.root / "Opened").glob("*.parquet")).unlink()
    with pytest.raises(BadResponse, match="lacks a file"):
        rig.run(day(0))
    lines = [json.loads(line) for line in text.splitlines()]
    features = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["new"], "writerFeatures": ["new"]}
    log.write_text("\n".join(json.dumps({"protocol": features} if "protocol" in line else line) for line in lines))
    with pytest.raises(RequestRejected, match="newer deltalake"):
        rig.run(day(0))


def test_a_csv_without_names_is_an_error(rig):
    folder = rig.disk.root / "Opened"
    folder.mkdir()
    (folder / "part.csv").write_text("k1,1,2026-03-01T10:00:00Z\n")
    with pytest.raises(BadResponse, match="no column Timestamp in its first line"):
        rig.run(day(0))


def test_a_retry_goes_on_after_the_last_whole_table(rig):
    rig.vendor = build_vendor(rig.disk.root, types=("A", "B", "C"))
    for name in ("A", "B", "C"):
        rig.disk.add(name, build_rows(row(name, FIRST)))
    log = rig.disk.root / "B/_delta_log"
    shutil.move(log, rig.disk.root / "away")
    (rig.disk.root / "B/data.csv").write_text("nothing\n")
    with pytest.raises(BadResponse):
        extract(rig.job(day(0), resume="run"))
    (rig.disk.root / "B/data.csv").unlink()
    shutil.move(rig.disk.root / "away", log)
    shutil.rmtree(rig.disk.root / "A")  # it would be empty if it were read again
    assert keys(rig.records(extract(rig.job(day(0), resume="run")))) == ["A", "B", "C"]


def test_what_a_failed_try_of_a_table_landed_is_dropped(rig, monkeypatch):
    rows = [row(f"k{n:06d}", FIRST, Text="x" * 900) for n in range(70_000)]
    rig.disk.add("A", build_rows(*rows[:10]))
    rig.disk.add("B", build_rows(*rows))
    from airflow_provider_interactions.extract import table_source
    from airflow_provider_interactions.tables.delta import DeltaReader

    scan, calls, failed = DeltaReader.scan, [], []

    def fail_once(self, window, columns=None):
        for batch in scan(self, window, columns):
            yield batch
            calls.append(batch.num_rows if columns is None else 0)
            if sum(calls) > 66_000 and not failed:
                failed.append(True)
                raise BadResponse("the table B has a file that is damaged")

    monkeypatch.setattr(DeltaReader, "scan", fail_once)
    monkeypatch.setattr(table_source, "PAUSE", 0.01)
    manifest = rig.run(day(0))
    assert failed
    assert manifest.counts.landed == 70_010
    assert len(set(keys(rig.records(manifest)))) == 70_000


class Chosen(Options, frozen=True, kw_only=True):
    """Options with types, as those of a bulk vendor."""

    types: tuple[str, ...] = ()


class Usual(Chosen, frozen=True, kw_only=True):
    """The same, with types by default."""

    types: tuple[str, ...] = ("Opened", "Sent")


def test_a_table_that_is_gone_is_an_error_until_its_type_is_left_out(rig):
    for name in ("Opened", "Sent"):
        rig.disk.add(name, build_rows(row(name, FIRST)))
    rig.run(day(0))
    rig.run(day(1))  # without rows
    shutil.move(rig.disk.root / "Sent", rig.disk.root.parent / "away")
    for window in (day(0), day(2)):
        with pytest.raises(BadResponse, match=r"1 tables are gone that were there .*: Sent\. Restore access"):
            extract(rig.job(window))
    assert extract(replace(rig.job(day(0)), options=Chosen(types=("Opened",)))).counts.landed == 1
    assert keys(rig.records(rig.run(day(0)))) == ["Opened"]  # since the last extraction, it is not expected any more


def test_runs_of_other_types_do_not_hide_a_table_that_is_gone(rig):
    for name in ("Opened", "Sent", "Steps"):
        rig.disk.add(name, build_rows(row(name, FIRST)))
    rig.vendor = replace(rig.vendor, options=Usual)

    def run(*types):
        chosen = [table for table in ("Opened", "Sent", "Steps") if table in types and (rig.disk.root / table).exists()]
        vendor = replace(build_vendor(rig.disk.root, types=chosen), options=Usual)
        return extract(replace(rig.job(day(0)), vendor=vendor, options=Usual(types=types)))

    run("Steps")
    run("Opened", "Sent")  # the table Steps is not asked for, so it is not gone
    run("Steps")
    run("Opened")
    shutil.move(rig.disk.root / "Sent", rig.disk.root.parent / "away")
    run("Steps")
    for types in (("Opened", "Sent"), ("Sent",), (" sent ", "STEPS")):
        with pytest.raises(BadResponse, match=r"1 tables are gone that were there .*: Sent\."):
            run(*types)
    run("Opened", "Steps")


class TestReopened:
    def test_a_table_without_statistics_opens_the_windows_with_late_rows_by_one_scan(self, rig, monkeypatch):
        from airflow_provider_interactions.tables.delta import DeltaReader

        rows = build_rows(*(row(f"k{n}", FIRST + n * DAY) for n in range(4)))
        bare = {"delta.dataSkippingNumIndexedCols": "0"}
        write_deltalake(str(rig.disk.root / "Opened"), rows, configuration=bare)
        for n in range(4):
            rig.run(day(n))
        find_reopened(rig.job(day(5)))
        for n in range(6):
            rig.disk.add("Opened", build_rows(row(f"late{n}", FIRST + 2 * DAY)))
        scan, scans = DeltaReader.scan, []
        monkeypatch.setattr(DeltaReader, "scan", lambda *given: scans.append(1) or scan(*given))
        assert find_reopened(rig.job(day(5))) == [day(2)]
        assert len(scans) == 1

    def test_only_tables_with_new_commits_are_opened(self, rig, monkeypatch):
        for name in ("Clicked", "Opened", "Sent"):
            rig.disk.add(name, build_rows(row("k", FIRST)))
        rig.disk.add("Flat", build_rows(row("k", FIRST)), "parquet")
        rig.run(day(0))
        find_reopened(rig.job(day(5)))
        opened, table_source = [], "airflow_provider_interactions.extract.table_source"
        monkeypatch.setattr(
            f"{table_source}.open_table",
            lambda store, address, bulk: opened.append(address.path) or open_table(store, address, bulk),
        )
        assert find_reopened(rig.job(day(5))) == []
        rig.disk.add("Opened", build_rows(row("late", FIRST)))
        assert find_reopened(rig.job(day(5))) == [day(0)]
        assert opened == ["Flat", "Flat", "Opened"]

    def test_a_table_made_anew_with_as_many_commits_is_compared(self, rig):
        rig.disk.add("Opened", build_rows(row("k", FIRST)))
        rig.run(day(0))
        assert find_reopened(rig.job(day(5))) == []
        shutil.rmtree(rig.disk.root / "Opened")
        rig.disk.add("Opened", build_rows(row("other", FIRST)))
        assert find_reopened(rig.job(day(5))) == [day(0)]

    def test_exactly_the_windows_with_late_rows_are_found_until_they_are_read(self, rig):
        rig.disk.add("Opened", build_rows(*(row(f"k{n}", FIRST + n * 6 * HOUR) for n in range(20))))
        rig.disk.add("Sent", build_rows(row("s", FIRST + 30 * HOUR)))
        for n in range(5):
            rig.run(day(n))
        assert find_reopened(rig.job(day(5))) == []
        rig.disk.add("Opened", build_rows(row("late", FIRST + HOUR), row("later", FIRST + 3 * DAY + HOUR)))
        assert find_reopened(rig.job(day(5))) == [day(0), day(3)]
        assert find_reopened(rig.job(day(5))) == [day(0), day(3)]
        rig.run(day(0))
        assert find_reopened(rig.job(day(5))) == [day(3)]
        rig.run(day(3))
        assert find_reopened(rig.job(day(5))) == []

    def test_a_table_that_is_only_rewritten_opens_nothing(self, rig):
        for n in range(3):
            rig.disk.add("Opened", build_rows(row(f"k{n}", FIRST + n * DAY)))
            rig.run(day(n))
        find_reopened(rig.job(day(5)))
        table = DeltaTable(str(rig.disk.root / "Opened"))
        assert table.optimize.compact()["numFilesAdded"] == 1
        assert find_reopened(rig.job(day(5))) == []

    def test_deleted_and_updated_rows_open_their_window(self, rig):
        rig.disk.add("Opened", build_rows(*(row(f"k{n}", FIRST + n * DAY) for n in range(4))))
        for n in range(4):
            rig.run(day(n))
        find_reopened(rig.job(day(5)))
        table = DeltaTable(str(rig.disk.root / "Opened"))
        table.delete("IdempotencyId = 'k1'")
        table.update({"Version": "2"}, predicate="IdempotencyId = 'k2'")
        assert find_reopened(rig.job(day(5))) == [day(1), day(2)]

    def test_a_new_table_opens_the_windows_of_its_rows(self, rig):
        rig.disk.add("Opened", build_rows(row("k", FIRST)))
        for n in range(3):
            rig.run(day(n))
        find_reopened(rig.job(day(5)))
        rig.disk.add("Bounced", build_rows(row("b", FIRST + DAY)))
        assert find_reopened(rig.job(day(5))) == [day(1)]

    def test_an_extraction_that_a_check_overtakes_is_compared_later(self, rig):
        rig.disk.add("Opened", build_rows(row("k", FIRST)))
        manifest = extract(rig.job(day(0)))  # it has read the table, and is not published yet
        facts = rig.lake.list_names("tables/vendor=acme/account=acme.example")
        folder = rig.disk.root.parent / "lake/tables/vendor=acme/account=acme.example"
        hidden = [(folder / name).read_bytes() for name in facts]
        for name in facts:
            (folder / name).unlink()
        rig.disk.add("Opened", build_rows(row("late", FIRST)))
        assert find_reopened(rig.job(day(5))) == []
        for name, data in zip(facts, hidden, strict=True):
            (folder / name).write_bytes(data)
        from airflow_provider_interactions.extract.commit import commit_window

        commit_window(rig.lake, [manifest])
        assert find_reopened(rig.job(day(5))) == [day(0)]

    @pytest.mark.parametrize("form", ["parquet", "csv"])
    def test_folders_of_files_open_the_windows_of_new_files_only(self, rig, form):
        for n in range(3):
            rig.disk.add("Opened", build_rows(row(f"k{n}", FIRST + n * DAY)), form, f"part{n}")
            rig.run(day(n))
        assert find_reopened(rig.job(day(5))) == []
        rig.disk.add("Opened", build_rows(row("late", FIRST + DAY)), form, "late")
        assert find_reopened(rig.job(day(5))) == [day(1)]

    def test_the_windows_of_a_long_run_are_found_one_by_one(self, rig):
        from airflow_provider_interactions.normalize.window import split_run

        rig.disk.add("Opened", build_rows(*(row(f"k{n}", FIRST + n * DAY) for n in range(4))))
        from airflow_provider_interactions.window import Window

        long = extract(rig.job(Window(FIRST, FIRST + 4 * DAY), width=DAY)).to_split(DAY)
        assert len(list(split_run(rig.lake, [long], DAY))) == 4
        assert find_reopened(rig.job(day(5))) == []
        rig.disk.add("Opened", build_rows(row("late", FIRST + 2 * DAY)))
        assert find_reopened(rig.job(day(5))) == [day(2)]


values = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(['"', "\\", "\x00", "\u2028", "é"])
)


@given(st.lists(st.tuples(values, st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), st.booleans()), max_size=20))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_records_are_json_with_the_same_values(rows):
    kinds = {'te"xt': pa.string(), "number": pa.int64(), "flag": pa.bool_()}
    columns = [pa.array([row[n] for row in rows], kind) for n, kind in enumerate(kinds.values())]
    batch = pa.record_batch(columns, list(kinds))
    found = [json.loads(one) for one in build_payloads(batch).to_pylist()]
    assert found == [{name: value for name, value in one.items() if value is not None} for one in batch.to_pylist()]
