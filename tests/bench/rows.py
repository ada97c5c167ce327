"""Canonical rows without an extraction: what two extractions of the same interactions leave in a lake."""

import duckdb
import pyarrow as pa

from airflow_provider_interactions.lake.manifest import Counts, Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.schema import CANONICAL
from airflow_provider_interactions.window import Window

PLACE = WindowPaths("dynamics_marketing", "acme", Window.of("2026-01-01", "2026-07-01"))

#: One row per number. In the second version, every tenth row has other attributes.
_ROWS = """
SELECT 'dynamics_marketing' AS vendor, 'acme' AS account, md5(i::VARCHAR)::UUID::VARCHAR AS interaction_id,
    md5((i % 50000)::VARCHAR || 'c')::UUID::VARCHAR AS contact_id, 'contact_id' AS contact_id_kind,
    make_timestamptz(1767225600000000 + i * 7000000 % 15552000000000) AS occurred_at,
    ['email', 'form', 'web'][i % 3 + 1] AS channel, ['sent', 'opened', 'clicked'][i % 3 + 1] AS action,
    ['EmailSent', 'EmailOpened', 'EmailClicked'][i % 3 + 1] AS native_type, NULL::VARCHAR AS status,
    CASE WHEN i % 7 > 0 THEN 'Newsletter ' || i % 500 || ' for you' END AS subject,
    'camp-' || i % 300 AS campaign_id, 'Campaign ' || i % 300 AS campaign_name,
    md5((i // 3)::VARCHAR || 'm')::UUID::VARCHAR AS message_id, (i % 4)::INTEGER AS count,
    make_timestamptz(1767225601000000 + i * 7000000 % 15552000000000) AS delivered_at, NULL::TIMESTAMPTZ AS updated_at,
    '{"EmailDomain":"example' || i % 40 || '.org","Browser":"Firefox ' || i % 9
        || '","Note":"seen ' || CASE WHEN $version = 2 AND i % 10 = 3 THEN 2 ELSE 1 END
        || '","Device":"' || md5(i::VARCHAR || 'd')
        || '","Url":"https://www.example.org/page/' || i % 1000 || '/index.html?utm_source=news"}' AS attributes,
    make_timestamptz(1785542400000000 + $version * 86400000000) AS extracted_at,
    make_timestamptz(1767225600000000) AS window_start, make_timestamptz(1782864000000000) AS window_end,
    CASE WHEN i % 10 < 9 THEN 'P-' || i // 60 END AS person_id,
    NULL::BIGINT AS revision
FROM range($rows) numbers(i)
"""


def write_rows(lake, version, rows):
    """A window of that many rows, as the first or the second extraction left it; its manifest."""
    writer = Writer(lake, f"version-{version}.parquet", CANONICAL)
    with duckdb.connect() as connection:
        found = build_rows(connection, version, rows)
        for batch in found.to_arrow_reader(65_536):
            writer.write(fit_rows(batch, CANONICAL))
    file = writer.close()
    manifest = Manifest(
        vendor=PLACE.vendor,
        account=PLACE.account,
        window_start=PLACE.window.start,
        window_end=PLACE.window.end,
        extracted_at=PLACE.window.end,
        files=(file,),
        counts=Counts(landed=rows, canonical=rows),
    )
    lake.publish(PLACE.manifest, manifest)
    return manifest


def build_rows(connection, version, rows):
    """The rows as a relation of DuckDB, in order."""
    return connection.sql(_ROWS, params={"version": version, "rows": rows})


def fit_rows(batch, schema):
    """DuckDB's rows with the types of a schema of ours."""
    return pa.RecordBatch.from_arrays(list(map(_fit, batch.columns, schema)), schema=schema)


def _fit(array, field):
    return array.dictionary_encode() if pa.types.is_dictionary(field.type) else array.cast(field.type)
