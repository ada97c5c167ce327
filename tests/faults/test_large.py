"""More than the 2 GiB of text that fit into one Arrow array: every row is there, or nothing is published."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_interactions import contract
from airflow_provider_interactions.extract import commit, raw_writer
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.outcomes import Outcome
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.lake import parquet
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.normalize import pipeline, rows
from airflow_provider_interactions.schema import CANONICAL
from airflow_provider_interactions.window import Window

MB = 1024 * 1024
DAY = Window.of("2026-01-02", "2026-01-03")


def batch(number, text):
    """Canonical rows whose attributes are long."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    word = pa.array(["x"] * number).dictionary_encode()
    known = {"attributes": pa.array([text] * number), "interaction_id": pa.array([f"{n}" for n in range(number)])}
    columns = []
    for field in CANONICAL:
        if field.name in known:
            columns.append(known[field.name])
        elif field.type == word.type:
            columns.append(word)
        elif field.name == "contact_id":
            columns.append(known["interaction_id"])
        else:
            columns.append(pa.array([at if pa.types.is_timestamp(field.type) else None] * number, field.type))
    return pa.record_batch(columns, schema=CANONICAL)


def test_batches_that_are_too_long_for_one_array_are_joined_and_written(tmp_path):
    """F09: 8 rows went in, 4 came out."""
    some = batch(4, "x" * (275 * MB))
    table = rows.join_rows([some, some])
    assert table.num_rows == 8
    writer = parquet.Writer(Lake.at(str(tmp_path)), "x.parquet", CANONICAL)
    writer.write(table)
    assert writer.close().rows == 8
    assert pq.ParquetFile(tmp_path / "x.parquet").metadata.num_rows == 8


def test_a_window_of_long_records_is_whole(tmp_path):
    """36 records of 60 MB on one day."""
    lake, long = Lake.at(str(tmp_path)), b"x" * (60 * MB)
    query = contract.Query(contract.Contact("c1"), None, None, "EmailSent")
    at = datetime(2026, 1, 2, 10, tzinfo=UTC)
    with raw_writer.RawWriter(
        lake, WindowPaths("dynamics_marketing", "acme", DAY), Checkpoint(extracted_at=at)
    ) as landing:
        for n in range(36):
            record = b'{"InteractionId":"%032d","Timestamp":"2026-01-02T10:00:00Z","Long":"%b"}' % (n + 1, long)
            landing.add_page(PageRows(query, "", [record], [at]))
            if landing.full:
                landing.flush()
        landing.add_outcome(Outcome(query.contact.id, query.contact.kind, "ok", 36, 1, None))
        raw = landing.finish(Counts(received=36, fetched=36, contacts=1, ok=1))
    done = pipeline.normalize(lake, commit.commit_window(lake, [raw]))
    assert done.counts.canonical == 36
    assert sum(pq.ParquetFile(lake.full(file.path)).metadata.num_rows for file in done.files) == 36
