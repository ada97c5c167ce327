"""Snapshots of an Iceberg table: expire old ones, with the files that only they refer to.

pyiceberg forgets snapshots but leaves their files, so metadata would grow with every load.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

log = logging.getLogger(__name__)

#: Expire only so many snapshots at once: finding their files reads the metadata of all snapshots.
AT_ONCE = 50

_AGE = "history.expire.max-snapshot-age-ms"
_DEFAULT_AGE = "86400000"  # a day, as long as the lake keeps former files


def expire_old(table: Table, now: datetime | None = None) -> int:
    """Expire snapshots past the age in the table's properties, once there are enough. Returns their number.

    Does nothing if another commit comes first; the next load tries again.
    """
    age = timedelta(milliseconds=int(table.properties.get(_AGE, _DEFAULT_AGE)))
    old = _find_expirable(table, (now or datetime.now(UTC)) - age)
    try:
        return expire(table, old) if len(old) >= AT_ONCE else 0
    except CommitFailedException:
        log.info("Old snapshots stay until the next load: another commit came first")
        return 0


def expire_all(table: Table) -> int:
    """Expire all snapshots but the current ones of branches and tags: nothing erased can be read any more.

    Raises CommitFailedException if another commit comes first.
    """
    return expire(table, _find_expirable(table, datetime.max.replace(tzinfo=UTC)))


def expire(table: Table, snapshots: Iterable[Snapshot]) -> int:
    """Expire snapshots, and remove the files in the table's own folder that no other snapshot refers to.

    Files of the lake stay: the lake owns them. Raises CommitFailedException if another commit comes first.
    """
    gone = {one.snapshot_id: one for one in snapshots}
    if not gone:
        return 0
    former = list_files(table, gone.values())
    table.maintenance.expire_snapshots().by_ids(list(gone)).commit()
    kept = list_files(table, table.metadata.snapshots)
    for path in former - kept:
        if path.startswith(f"{table.location().rstrip('/')}/"):
            with suppress(FileNotFoundError):
                table.io.delete(path)
    return len(gone)


def _find_expirable(table: Table, before: datetime) -> list[Snapshot]:
    heads = {ref.snapshot_id for ref in table.metadata.refs.values()}
    limit = before.timestamp() * 1000
    return [one for one in table.metadata.snapshots if one.timestamp_ms < limit and one.snapshot_id not in heads]


def list_files(table: Table, snapshots: Iterable[Snapshot]) -> set[str]:
    """Manifest lists, manifests and data files of some snapshots."""
    lists = {one.manifest_list: one for one in snapshots}
    manifests = {each.manifest_path: each for one in lists.values() for each in one.manifests(table.io)}
    entries = (entry for one in manifests.values() for entry in one.fetch_manifest_entry(table.io))
    return {*lists, *manifests, *(entry.data_file.file_path for entry in entries)}
