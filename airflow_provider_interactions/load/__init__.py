"""Load canonical Parquet into a table: merge by key, newest wins, one transaction. One module per kind of target."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import msgspec

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import LoadError, WindowSuperseded
from airflow_provider_interactions.extract.commit import refuse_other
from airflow_provider_interactions.extract.retention import refuse_swept
from airflow_provider_interactions.extract.split_window import join_again, read_current
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.reader import describe_superseded
from airflow_provider_interactions.lake.storage import Lake

if TYPE_CHECKING:
    from airflow_provider_interactions.load.ledger import ReadSteps

log = logging.getLogger(__name__)


class Loaded(msgspec.Struct, frozen=True):
    """Row counts of a load. ``rows`` are all rows of the window. ``merged`` are duplicates among them.

    ``unchanged`` rows were already in the table, equal or newer. ``removed`` rows were in the table and are no longer
    in the window; only a target that replaces whole windows removes rows.
    ``inserted`` + ``updated`` + ``unchanged`` + ``merged`` = ``rows``.
    """

    rows: int
    inserted: int
    updated: int
    unchanged: int
    merged: int
    removed: int = 0

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


NOTHING = Loaded(0, 0, 0, 0, 0)


class Target(Protocol):
    """One table of the user's. Each operation is one transaction: it happens as a whole, or the table is unchanged.

    A row of the window replaces the one of the same key if it is newer (`schema.NEWEST`) and differs in another column
    than ``extracted_at``: if its revision is greater, or the same and it was extracted at the same time or later. So
    ``extracted_at`` of a row in the table is the extraction that changed it.
    """

    def prepare(self) -> None:
        """Make the table if it is absent; add the columns that newer versions of the schema have.

        Raises LoadError if it is another table or the user may not do that, and ConfigError if the table's schema is
        newer than this code.
        """

    def load(self, lake: Lake, manifest: Manifest) -> Loaded:
        """Prepare the table and load a normalized window into it.

        Once it has the table to itself it calls `require_current`, so that a window never goes back to an older
        version. Raises LoadError, WindowSuperseded, and Unreconciled if the files do not hold the manifest's rows.
        """

    def erase(self, vendor: str, account: str, contacts: Iterable[Contact]) -> int:
        """Remove all rows of these contacts, and return their number: addresses of e-mail in any case of their letters.

        Raises LoadError.
        """

    def add_steps(self, read: ReadSteps) -> int:
        """Bring the table of the ledger up to date (see ``load.ledger``), and return the number of new rows.

        Makes that table if it is absent. Raises LoadError: then nothing was added.
        """

    def describe(self) -> tuple[str, str]:
        """The namespace and the name of the table by OpenLineage's naming conventions. Holds no secret."""


def load_window(lake: Lake, manifest: Manifest, target: Target) -> tuple[Manifest, Loaded]:
    """Load the currently published version of a normalized window. Start again if another run replaces it.

    Returns the manifest of the loaded version. Raises LoadError (the table is unchanged), and Unreconciled if an
    extraction with other options or contacts has replaced the window.
    """
    manifest = find_current(lake, manifest)
    while True:
        try:
            done = target.load(lake, manifest)
        except (LoadError, WindowSuperseded):
            newer = find_current(lake, manifest)
            if newer.paths == manifest.paths:
                raise
            manifest = newer
        else:
            _log_counts(manifest, done, target.describe())
            return manifest, done


def load_run(lake: Lake, manifest: Manifest, target: Target) -> tuple[Manifest, Loaded, Loaded]:
    """Load all windows of a run, as ``load_window`` does. Returns all counts, and those of the late windows among them.

    Late windows are older than the run's own, which a run with ``lookback`` reads again. They are a transaction of
    their own, before the other one.
    """
    *before, own = manifest.part_late()
    late = [load_window(lake, part, target)[1] for part in before]
    found, done = load_window(lake, own, target)
    return (manifest, late[0] + done, late[0]) if late else (found, done, NOTHING)


def require_current(lake: Lake, manifest: Manifest) -> None:
    """Raise WindowSuperseded unless this version of the window is the published one.

    A target calls it while it has the table to itself. So if two versions of a window are loaded at once, the newer one
    is always the last.
    """
    if find_current(lake, manifest).paths != manifest.paths:
        raise WindowSuperseded(describe_superseded(manifest))


def explain_files(manifest: Manifest, wrong: Exception) -> str:
    """The message for files of a window that are missing or cannot be read."""
    return (
        f"The files of window {manifest.window} in the lake are missing or damaged ({type(wrong).__name__}); the table "
        "is unchanged. Run the extraction again."
    )


def find_current(lake: Lake, manifest: Manifest) -> Manifest:
    """The currently published version of the window. Another run may have replaced it and removed its files."""
    if manifest.width is not None:
        pieces = read_current(lake, manifest, manifest.width)
        for piece in pieces:
            refuse_swept(piece, "canonical")
            if not manifest.paths.issuperset(file.path for file in (*piece.files, *piece.rejects)):
                _accept(manifest, piece)
        return join_again(manifest, pieces)
    found = lake.read(manifest.place.manifest, Manifest)
    if found is not None:
        refuse_swept(found, "canonical")
    if found is None or found.paths == manifest.paths:
        return manifest
    _accept(manifest, found)
    return found


def _accept(mine: Manifest, found: Manifest) -> None:
    refuse_other(mine, found)
    log.warning(
        "%s, window %s: another run replaced the window; loading the rows of that run", found.vendor, found.window
    )


def _log_counts(manifest: Manifest, done: Loaded, table: tuple[str, str]) -> None:
    log.info(
        "%s, window %s: %d rows loaded into %s, %d inserted, %d updated, %d unchanged, %d merged, %d removed",
        *(manifest.vendor, manifest.window, done.rows, table[1]),
        *(done.inserted, done.updated, done.unchanged, done.merged, done.removed),
    )
