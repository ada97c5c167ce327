"""The table in Iceberg: make it, add columns of newer versions of the schema, and refuse a table that differs."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType, IcebergType, IntegerType, LongType, NestedField, StringType, TimestamptzType

from airflow_provider_interactions.errors import LoadError
from airflow_provider_interactions.load.iceberg_view import publish_view
from airflow_provider_interactions.load.ledger import KEY
from airflow_provider_interactions.load.misfit import describe_misfit
from airflow_provider_interactions.schema import INSTANT, STEPS, find_since, find_version, refuse_newer

#: The table's property with its schema version. Tables without one were made by version 1.
VERSION = "interactions.schema-version"

#: A file of the lake has one value in each of these columns, so it is added as it is. With the account among them no
#: other tool's compaction mixes accounts in a file. The start of a window is kept exact: pyiceberg computes days only
#: with a further package when it writes.
PARTITIONS = ("vendor", "account", "window_start")

#: Comments of the table and of the ledger's.
COMMENT = "Contact interactions. Key: vendor, account, interaction_id; the newest version counts."
LEDGER_COMMENT = "Tries of steps of contact interactions. Key: file."

#: Properties of a new table. Users may change them.
PROPERTIES = {
    # Metadata outlive rows. So they have no bounds of texts, which can be identifiers of people: see build_metrics.
    "write.metadata.metrics.default": "counts",
    # Without these three, metadata grow with each commit for ever.
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "10",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "history.expire.max-snapshot-age-ms": str(24 * 60 * 60 * 1000),
}


def prepare_table(catalog: Catalog, identifier: tuple[str, ...], columns: pa.Schema) -> Table:
    """Load the table. Make it if it is absent, and add the columns that it lacks; none is dropped or retyped.

    Raises LoadError if it is another table, and ConfigError if its schema is newer than this code.
    """
    try:
        table = catalog.load_table(identifier)
    except (NoSuchTableError, NoSuchNamespaceError):
        table = _create_table(catalog, identifier, columns, PARTITIONS, COMMENT)
        publish_view(catalog, identifier, table.schema(), columns)
    name, version = ".".join(identifier), str(find_version(columns))
    refuse_newer(int(table.properties.get(VERSION, 1)), columns, f"The table {name}")
    present = {field.name for field in table.schema().fields}
    added = [column for column in columns if find_since(column) > 1 and column.name not in present]
    _refuse_other_columns(table, name, columns, {column.name for column in added})
    if added or table.properties.get(VERSION) != version:
        with table.transaction() as change:
            with change.update_schema() as schema:
                for column in added:
                    schema.add_column(column.name, iceberg_type(column), doc=_read_meaning(column))
            change.set_properties({VERSION: version})
        publish_view(catalog, identifier, table.schema(), columns)
    return table


def prepare_ledger(catalog: Catalog, identifier: tuple[str, ...]) -> Table:
    """Load the table of the ledger. Make it if it is absent. Raises LoadError if it is another table."""
    try:
        table = catalog.load_table(identifier)
    except (NoSuchTableError, NoSuchNamespaceError):
        table = _create_table(catalog, identifier, STEPS, (), LEDGER_COMMENT)
    _refuse_other_columns(table, ".".join(identifier), STEPS, set())
    return table


def iceberg_type(field: pa.Field) -> IcebergType:
    """Iceberg's type of a column."""
    kinds: dict[pa.DataType, IcebergType] = {
        INSTANT: TimestamptzType(),
        pa.int32(): IntegerType(),
        pa.int64(): LongType(),
        pa.float64(): DoubleType(),
    }
    return kinds.get(field.type, StringType())


def build_metrics(columns: pa.Schema) -> dict[str, str]:
    """Properties for exact bounds of numbers, instants, and words with few values, which are in no case a person's.

    With them, the files of a window are found by metadata alone. So are rows of the ledger by their key.
    """
    exact = [column.name for column in columns if column.type != pa.string() or column.name == KEY]
    return {f"write.metadata.metrics.column.{name}": "full" for name in exact}


def _create_table(
    catalog: Catalog, identifier: tuple[str, ...], columns: pa.Schema, partitions: Sequence[str], comment: str
) -> Table:
    catalog.create_namespace_if_not_exists(identifier[:-1])
    schema = Schema(
        *(
            NestedField(n, column.name, iceberg_type(column), required=not column.nullable, doc=_read_meaning(column))
            for n, column in enumerate(columns, 1)
        )
    )
    fields = [
        PartitionField(schema.find_field(name).field_id, 1000 + n, IdentityTransform(), name)
        for n, name in enumerate(partitions)
    ]
    names = schema.name_mapping.model_dump_json()  # the lake's files have names, but no field ids
    return catalog.create_table_if_not_exists(
        identifier,
        schema,
        partition_spec=PartitionSpec(*fields),
        properties={
            **PROPERTIES,
            **build_metrics(columns),
            VERSION: str(find_version(columns)),
            "schema.name-mapping.default": names,
            "comment": comment,
        },
    )


def _read_meaning(column: pa.Field) -> str:
    return str((column.metadata or {}).get(b"meaning", b"").decode())


def _refuse_other_columns(table: Table, name: str, columns: pa.Schema, added: set[str]) -> None:
    """Raise LoadError, with their names, for missing columns, wrong types, and other columns that are required."""
    fields = table.schema().fields
    wanted = {column.name: iceberg_type(column) for column in columns if column.name not in added}
    needed = [field.name for field in fields if field.required and field.name not in columns.names]
    problems = describe_misfit(wanted, {field.name: field.field_type for field in fields}, needed)
    if problems:
        msg = (
            f"The Iceberg table {name} does not fit ({problems}); the table is unchanged. Name another table; the load "
            "makes it."
        )
        raise LoadError(msg)
