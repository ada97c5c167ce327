"""Data files in an Iceberg table's own folder that no snapshot has: commits that died, or came second, left them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as arrow_fs
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from airflow_provider_interactions.addresses import fold_addresses, fold_contact
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.identifiers import EMAIL
from airflow_provider_interactions.load.iceberg_history import list_files

#: A younger file that cannot be read may still be being written.
AGE = timedelta(days=1)


def match_contacts(vendor: str, account: str, contacts: Iterable[Contact]) -> pc.Expression:
    """The filter for all rows of these contacts, addresses of e-mail in any case of their letters."""
    ids, kinds = (pc.field(name).cast(pa.string()) for name in ("contact_id", "contact_id_kind"))
    given: dict[str, list[str]] = {}
    for one in map(fold_contact, contacts):
        given.setdefault(one.kind, []).append(one.id)
    theirs = (
        (kinds == kind) & (fold_addresses(ids) if kind == EMAIL else ids).isin(some) for kind, some in given.items()
    )
    return (pc.field("vendor") == vendor) & (pc.field("account") == account) & reduce(or_, theirs)


def remove_orphans(table: Table, wanted: pc.Expression, now: datetime | None = None) -> int:
    """Remove those that hold rows of a filter, and old ones that cannot be read. Returns their number.

    Call it after a commit: files that were written before it can no longer be committed, so nobody needs them.
    """
    storage, folder = _open_folder(table)
    known = {PyArrowFileIO.parse_location(path)[2] for path in list_files(table, table.metadata.snapshots)}
    before = (now or datetime.now(UTC)) - AGE
    found = storage.get_file_info(arrow_fs.FileSelector(folder, allow_not_found=True, recursive=True))
    orphans = [one for one in found if one.path.endswith(".parquet") and one.path not in known]
    gone = [one.path for one in orphans if _holds(storage, one, wanted, before)]
    for path in gone:
        storage.delete_file(path)
    return len(gone)


def _open_folder(table: Table) -> tuple[arrow_fs.FileSystem, str]:
    """The file system of the table's own folder, as pyiceberg opens it, and the folder's path there."""
    scheme, host, path = PyArrowFileIO.parse_location(table.location())
    files: Any = table.io
    if isinstance(files, PyArrowFileIO):
        return files.fs_by_scheme(scheme, host), path
    return arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(files.get_fs(scheme))), path


def _holds(storage: arrow_fs.FileSystem, file: arrow_fs.FileInfo, wanted: Any, before: datetime) -> bool:
    try:
        rows = pq.read_table(file.path, filesystem=storage, columns=["contact_id"], filters=wanted, partitioning=None)
    except pa.ArrowInvalid:
        return bool(file.mtime is not None and file.mtime < before)
    return bool(rows.num_rows)
