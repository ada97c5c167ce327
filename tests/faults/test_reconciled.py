"""Every row is accounted for, or nothing is published and the numbers are told."""

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rig

from airflow_provider_interactions.errors import InteractionsError, LoadError, Unreconciled
from airflow_provider_interactions.extract import commit, run
from airflow_provider_interactions.lake import parquet
from airflow_provider_interactions.lake.manifest import Counts, File
from airflow_provider_interactions.lake.reconcile import reconcile_normalized
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize import pipeline as normalize_pipeline


@pytest.fixture
def done(sandbox, vendor, tmp_path):
    """A window of each vendor, published and normalized."""
    spec = rig.spec(sandbox, vendor, tmp_path / "lake")
    return (spec, *rig.run(spec))


SIDES = {
    "received = outside + undated + fetched": ["received", "outside", "undated"],
    "fetched = landed": ["landed"],
    "contacts = ok + empty + not_found + deleted + failed": [
        "contacts", "ok", "empty", "not_found", "deleted", "failed",
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", [-1, 1, 1000])
def test_each_equation_is_checked_and_its_numbers_are_told(done, change):
    spec, raw, _ = done
    for equation, names in SIDES.items():
        for name in names:
            counts = raw.counts + Counts(**{name: change})
            tampered = msgspec.structs.replace(raw, counts=counts)
            with pytest.raises(Unreconciled) as told:
                commit.commit_window(rig.lake_of(spec), [tampered])
            left, right = equation.split(" = ")
            numbers = f"{getattr(counts, left)} ≠ {sum(getattr(counts, one) for one in right.split(' + '))}"
            assert f"{equation} ({numbers})" in str(told.value)
            assert rig.seen(spec, "raw")[0] == raw


@pytest.mark.parametrize("name", ["canonical", "rejected", "repeated", "landed"])
def test_the_equation_of_normalize_is_checked(done, name):
    _, raw, normalized = done
    counts = normalized.counts + Counts(**{name: 1})
    told = counts.canonical + counts.rejected + counts.repeated
    with pytest.raises(Unreconciled, match=f"canonical . rejected . repeated .{counts.landed} ≠ {told}"):
        reconcile_normalized(raw, msgspec.structs.replace(normalized, counts=counts))


@pytest.mark.parametrize(("files", "what"), [("files", "landed"), ("outcomes", "contacts")])
def test_what_the_raw_files_hold_is_compared_with_the_counts(done, files, what):
    spec, raw, _ = done
    less = tuple(msgspec.structs.replace(file, rows=file.rows - 1) for file in getattr(raw, files)[:1])
    tampered = msgspec.structs.replace(raw, **{files: (*less, *getattr(raw, files)[1:])})
    with pytest.raises(Unreconciled, match=f"{what} = rows of the"):
        commit.commit_window(rig.lake_of(spec), [tampered])


@pytest.mark.parametrize(("files", "what"), [("files", "canonical"), ("rejects", "rejected")])
def test_what_the_normalized_files_hold_is_compared_with_the_counts(done, files, what):
    _, raw, normalized = done
    more = File("x", 1, 1)
    tampered = msgspec.structs.replace(normalized, **{files: (*getattr(normalized, files), more)})
    with pytest.raises(Unreconciled, match=f"{what} = rows of the"):
        reconcile_normalized(raw, tampered)


def rewritten(lake, file, change):
    """A data file of the lake with other rows in it."""
    path = lake.full(file.path)
    table = change(pq.ParquetFile(path).read())
    pq.write_table(table, path)


CHANGES = {
    "a row less": lambda rows: rows.slice(1),
    "a row more": lambda rows: pa.concat_tables([rows, rows.slice(rows.num_rows - 1)]),
    "another row more": lambda rows: pa.concat_tables([rows.slice(0, 1), rows]),
    "nothing": lambda rows: rows.slice(0, 0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_raw_file_that_was_tampered_with_is_not_normalized(done, what):
    spec, raw, normalized = done
    rewritten(rig.lake_of(spec), raw.files[0], CHANGES[what])
    with pytest.raises(Unreconciled, match=rf"landed = canonical \+ rejected \+ repeated \({raw.counts.landed} ≠ "):
        normalize_pipeline.normalize(rig.lake_of(spec), raw)
    assert rig.seen(spec)[0] == normalized


@pytest.mark.parametrize("what", CHANGES)
def test_a_canonical_file_that_was_tampered_with_is_not_loaded(done, what, tmp_path):
    spec, _, normalized = done
    rewritten(rig.lake_of(spec), normalized.files[0], CHANGES[what])
    with pytest.raises((Unreconciled, LoadError)):
        DuckDBTable(str(tmp_path / "db")).load(rig.lake_of(spec), normalized)
    with pytest.raises(InteractionsError):
        rig.seen(spec)


def test_every_run_says_what_it_counted(done, sandbox, vendor):
    _, raw, normalized = done
    counts = normalized.counts
    assert counts.received == counts.outside + counts.fetched
    assert counts.fetched == counts.landed == sum(file.rows for file in raw.files)
    assert counts.landed == counts.canonical + counts.rejected + counts.repeated
    assert counts.canonical == sum(file.rows for file in normalized.files) == rig.ask_oracle(sandbox, vendor)[0]
    assert counts.requests == sandbox.stats()[vendor]["requests"]


def test_a_landing_that_lost_a_row_is_refused(sandbox, vendor, tmp_path, monkeypatch):
    """The writer drops a row on its way to the disk: the extraction ends with the numbers, and leaves nothing."""
    write = parquet.Writer.write

    def losing(writer, batch):
        write(writer, batch.slice(1) if "payload" in batch.schema.names else batch)

    monkeypatch.setattr(parquet.Writer, "write", losing)
    job = rig.job_of(rig.spec(sandbox, vendor, tmp_path))
    with pytest.raises(Unreconciled, match="fetched = landed"):
        run.extract(job)
    assert Lake.at(str(tmp_path)).fs.find(str(tmp_path)) == []
