"""What pyiceberg needs to open a catalogue and its files, and errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, NotInstalledError, ValidationException

from airflow_provider_interactions.errors import ConfigError, InteractionsError, LoadError
from airflow_provider_interactions.lake.storage import Lake

# pyiceberg warns about each dictionary column and each column without statistics, in every file.
logging.getLogger("pyiceberg.io.pyarrow").setLevel(logging.ERROR)

#: pyiceberg's property for each of s3fs's own options.
_S3 = {"key": "s3.access-key-id", "secret": "s3.secret-access-key", "token": "s3.session-token"}
_S3_CLIENT = {"endpoint_url": "s3.endpoint", "region_name": "s3.region"}

_CONFLICTS = (CommitFailedException, ValidationException)
_DATABASE = ("IntegrityError", "OperationalError", "ProgrammingError")


def build_local(folder: str) -> dict[str, str]:
    """The properties of a catalogue in a SQLite file, with its tables' metadata beside it. Makes the folder."""
    path = Path(folder).resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        msg = f"Cannot create the folder of the Iceberg catalogue ({wrong.strerror}). Check its path."
        raise ConfigError(msg) from wrong
    # Loads of several tasks wait for each other: SQLite has one writer at a time.
    return {"type": "sql", "uri": f"sqlite:///{path}/catalog.db?timeout=60", "warehouse": f"file://{path}"}


@contextmanager
def explain_errors(properties: Mapping[str, str]) -> Iterator[None]:
    """Raise ConfigError for properties that pyiceberg cannot use, and LoadError for what the catalogue refuses."""
    try:
        yield
    except InteractionsError:
        raise
    except (NotInstalledError, ImportError) as wrong:
        kind = properties.get("type", "rest")
        msg = f"pyiceberg needs further packages for this catalogue. Install: pip install 'pyiceberg[{kind}]'."
        raise ConfigError(msg) from wrong
    except Exception as wrong:  # noqa: BLE001 - each catalogue raises the errors of its own client
        # Do not pass the message on: it can quote addresses, statements or a person's identifier.
        raise LoadError(_explain(wrong)) from None


def is_conflict(wrong: Exception) -> bool:
    """Whether starting again may help: another commit came first, or another load made the same thing first.

    A catalogue in a database says the latter, or that the database is busy, by its client's errors.
    """
    kind = type(wrong)
    return isinstance(wrong, _CONFLICTS) or (kind.__module__.startswith("sqlalchemy.") and kind.__name__ in _DATABASE)


def build_storage(lake: Lake) -> dict[str, str]:
    """Properties for pyiceberg to open the files of an S3 lake, from the options that its client was made with.

    Without keys among them the client found its credentials in the environment, where pyiceberg looks, too.
    """
    options: Mapping[str, Any] = getattr(lake.fs, "storage_options", {})
    client: Mapping[str, Any] = {**(options.get("client_kwargs") or {}), **options}
    found = {name: options.get(option) for option, name in _S3.items()}
    found |= {name: client.get(option) for option, name in _S3_CLIENT.items()}
    return {name: str(value) for name, value in found.items() if value}


def _explain(wrong: Exception) -> str:
    kind = type(wrong).__name__
    if isinstance(wrong, FileNotFoundError | pa.ArrowInvalid):
        return (
            "A data file that the lake's manifest or the Iceberg table names is missing or damaged; the table is "
            "unchanged. Run the extraction of the window again."
        )
    if isinstance(wrong, _CONFLICTS):
        return f"Other commits to the Iceberg table kept coming first ({kind}); the table is unchanged. Clear the task."
    if isinstance(wrong, OSError):
        return (
            f"The Iceberg catalogue, the table's files or the lake cannot be reached ({kind}); the table is unchanged. "
            "Check their addresses, the space and the permissions, and that the catalogue's storage can read the lake."
        )
    return (
        f"The Iceberg catalogue or table refused the load ({kind}); the table is unchanged. Check the catalogue's "
        "address and credentials, that its user may create namespaces and tables and commit to them, and that the "
        "table was made by this provider. Else name another table; the load makes it."
    )
