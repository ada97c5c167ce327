"""The newest version of each interaction, as a view of the Iceberg table, in catalogues that support views.

pyiceberg makes views since 0.12, in REST catalogues only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pyarrow as pa
from pyiceberg import exceptions
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchViewError
from pyiceberg.schema import Schema

from airflow_provider_interactions.load.sql import list_names
from airflow_provider_interactions.schema import CANONICAL, KEY, NEWEST, find_version

log = logging.getLogger(__name__)

#: pyiceberg 0.11 makes no views and does not have this error.
_ALREADY_THERE: type[Exception] = getattr(exceptions, "ViewAlreadyExistsError", NoSuchViewError)

#: The view's name is the table's with this ending.
ENDING = "_newest"

#: How engines that read views of Iceberg quote names. Such a view has one text for each engine.
QUOTES: Mapping[str, str] = {"trino": '"', "spark": "`"}

#: The view's property with the schema version that it was made for. A view without it is somebody else's.
_VERSION = "interactions.schema-version"


def build_newest_sql(table: str, columns: pa.Schema = CANONICAL) -> str:
    """The query of a view on the newest versions, for any SQL engine. ``table`` is its name there, quoted if needed.

    All columns take part in the order, so that the choice does not depend on the order of the rows.
    """
    order = [f"{name} DESC NULLS LAST" for name in NEWEST if name in columns.names]
    order += [f'"{name}" NULLS LAST' for name in list_rest(columns)]
    version = f"row_number() OVER (PARTITION BY {', '.join(KEY)} ORDER BY {', '.join(order)}) AS version"
    return f"SELECT {list_names(columns)} FROM (SELECT *, {version} FROM {table}) versions WHERE version = 1"  # noqa: S608 - the user's own name


def list_rest(columns: pa.Schema) -> list[str]:
    """The columns that only break ties."""
    return [name for name in columns.names if name not in (*NEWEST, *KEY)]


def publish_view(catalog: Catalog, identifier: tuple[str, ...], schema: Schema, columns: pa.Schema) -> None:
    """Make the view, or make it anew if an older version of this package made it. A user's own view stays.

    If the catalogue has no views, there is none. If it refuses this one, a warning says so: the table is good without.
    """
    if not hasattr(catalog, "create_view"):
        return
    name = (*identifier[:-1], f"{identifier[-1]}{ENDING}")
    try:
        _drop_older(catalog, name, columns)
        _create_view(catalog, name, identifier, schema, columns)
    except (NotImplementedError, _ALREADY_THERE) as why:
        log.debug("No view %s is made (%s)", ".".join(name), type(why).__name__)
    except Exception as wrong:  # noqa: BLE001 - each catalogue raises the errors of its own client
        log.warning(
            "The catalogue refused the view %s (%s). Make it yourself, with the query of build_newest_sql.",
            ".".join(name),
            type(wrong).__name__,
        )


def _drop_older(catalog: Catalog, name: tuple[str, ...], columns: pa.Schema) -> None:
    try:
        made_for = int(catalog.load_view(name).properties.get(_VERSION, find_version(columns)))
    except NoSuchViewError:
        return
    if made_for < find_version(columns):
        catalog.drop_view(name)


def _create_view(
    catalog: Catalog, name: tuple[str, ...], table: tuple[str, ...], schema: Schema, columns: pa.Schema
) -> None:
    from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

    texts = [
        ViewRepresentation(SQLViewRepresentation(type="sql", sql=_build_text(table, columns, quote), dialect=dialect))
        for dialect, quote in QUOTES.items()
    ]
    version = ViewVersion.model_validate(
        {"schema-id": 0, "representations": texts, "default-namespace": list(name[:-1])}
    )
    catalog.create_view(name, schema, version, properties={_VERSION: str(find_version(columns))})


def _build_text(table: tuple[str, ...], columns: pa.Schema, quote: str) -> str:
    """The query in an engine's own quotes. Column names have none."""
    named = ".".join(quote + part.replace(quote, 2 * quote) + quote for part in table)
    before, after = build_newest_sql("\0", columns).replace('"', quote).split("\0")
    return before + named + after
