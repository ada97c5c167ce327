"""Remove people from all files of one account of the lake: see ``erasure`` for the order and what it keeps safe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LakeUnavailable, Unreconciled
from airflow_provider_interactions.extract.cleanup import remove_half_written
from airflow_provider_interactions.extract.erase_rows import erase_published
from airflow_provider_interactions.extract.people import GivenPeople, find_rows
from airflow_provider_interactions.extract.raw_table import unpack_rows
from airflow_provider_interactions.extract.rewriter import Rewriter
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.paths import AccountPaths, WindowPaths, read_window
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.swap import hold_folder
from airflow_provider_interactions.person.erase_answers import AnswersErasure
from airflow_provider_interactions.vendors import find_vendor

#: Layers with data files. Manifests refer to some of the files.
DATA = ("raw", "interactions", "history", "rejects")

#: All layers with personal data.
LAYERS = (*DATA, "manifests", "contacts", "unfinished", "requests")

#: How often to start again if a window changes while it is worked on. Each time another run has published it.
ROUNDS = 5

#: What is wrong with one place, so that the others go on.
FAULTS = (ConfigError, LakeUnavailable, Unreconciled)


@dataclass(slots=True)
class AccountErasure:
    """Removes ``contacts`` from an account's files. ``rows`` are the removed rows by place, ``failures`` what failed.

    ``files`` is the number of files that were replaced or removed. A failure leaves the place as it is. ``pseudonyms``
    are ids of keys by which some of the contacts are hashed.
    """

    lake: Lake
    account: AccountPaths
    contacts: Sequence[Contact]
    now: datetime
    pseudonyms: frozenset[str] = frozenset()
    rows: Counter[str] = field(default_factory=Counter)
    files: int = 0
    failures: list[str] = field(default_factory=list)
    people: GivenPeople = field(init=False)
    rewriter: Rewriter = field(init=False)

    def __post_init__(self) -> None:
        self.people = GivenPeople(self.contacts, self.pseudonyms)
        self.rewriter = Rewriter(self.lake, self.account.vendor, self.people, self.now)

    def erase(self) -> None:
        """Remove them from all layers. Raises nothing that is about one file: see ``failures``."""
        for _ in range(ROUNDS):
            for place in self._list_windows():
                self._try(f"window {place.window}", partial(self._erase_window, place))
            for path in self._list_histories():
                self._try(path, partial(self._erase_history, path))
            if not self._erase_unreferenced():
                break
        self._count_rewritten()
        for path in self._list_files("contacts"):
            self._try(path, partial(self._blank_contacts, path))
        self._erase_checkpoints()
        folder, vendor = self.account.folder("requests"), self.account.vendor
        answers = AnswersErasure(self.lake, folder, vendor, self.contacts, self.rewriter)
        self._try("requests", lambda: self._add("requests", *answers.erase()))

    def _try(self, place: str, work: Callable[[], None]) -> None:
        try:
            work()
        except FAULTS as wrong:
            self.failures.append(f"{self.account.vendor}, {place}: {wrong}")
        except (pa.ArrowException, OSError) as wrong:
            self.failures.append(f"{self.account.vendor}, {place}: a file cannot be read ({type(wrong).__name__})")

    def _add(self, place: str, rows: int, files: int) -> None:
        self.rows[place] += rows
        self.files += files

    def _list_windows(self) -> Iterator[WindowPaths]:
        raw = self.lake.list_names(self.account.folder("raw"))
        names = {name.removesuffix(".json") for name in (*raw, *self.lake.list_names(self.account.folder("manifests")))}
        for name in sorted(names):
            if window := read_window(name):
                yield WindowPaths(self.account.vendor, self.account.account, window)

    def _list_histories(self) -> list[str]:
        folder = self.account.folder("history")
        return [f"{folder}/{name}" for name in self.lake.list_names(folder) if name.endswith(".json")]

    def _erase_window(self, place: WindowPaths) -> None:
        """Replace both manifests, and only then remove files that neither of them has any more."""
        raw = erase_published(self.lake, place.raw_manifest, self.rewriter)
        normalized = erase_published(self.lake, place.manifest, self.rewriter, raw.after)
        gone = raw.former_files | normalized.former_files
        if gone:
            self.lake.remove(sorted(gone - self._read_paths(place.raw_manifest) - self._read_paths(place.manifest)))

    def _erase_history(self, path: str) -> None:
        change = erase_published(self.lake, path, self.rewriter)
        self.lake.remove(sorted(change.former_files))

    def _read_paths(self, path: str) -> frozenset[str]:
        found = self.lake.read(path, Manifest)
        return found.paths if found else frozenset()

    def _list_referenced(self) -> frozenset[str]:
        windows = (path for place in self._list_windows() for path in (place.raw_manifest, place.manifest))
        paths = [*windows, *self._list_histories()]
        return frozenset(path for _, one in self.lake.read_many(paths, Manifest) for path in one.paths)

    def _list_files(self, *layers: str) -> list[str]:
        return sorted(
            path
            for layer in layers
            for path in self.lake.list_files(self.account.folder(layer))
            if path.endswith(".parquet")
        )

    def _erase_unreferenced(self) -> bool:
        """Replace files that no manifest refers to. Returns whether another run has published some meanwhile."""
        changed = set[str]()
        referenced = self._list_referenced()
        self.rewriter.remove_orphans(referenced)
        for path in self._list_files(*DATA):
            if path in referenced or path in self.rewriter.clean:
                continue
            self._try(path, partial(self._replace_in_place, path, changed))
        remove_half_written(self.lake, map(self.account.folder, LAYERS), self.now)
        known = referenced | self.rewriter.clean
        return bool(changed & self._list_referenced()) or not self._list_referenced() <= known

    def _replace_in_place(self, path: str, changed: set[str]) -> None:
        try:
            if self.rewriter.replace_in_place(path):
                changed.add(path)
        except FileNotFoundError:
            return

    def _count_rewritten(self) -> None:
        for path, rows in self.rewriter.removed.items():
            self._add(name_place(path), rows, 1)

    def _blank_contacts(self, path: str) -> None:
        """Empty the rows of a list of contacts. They keep their places, because batches count them."""
        vendor = find_vendor(self.account.vendor)
        with hold_folder(self.lake, path), self.lake.open(path) as stream:
            parquet = pq.ParquetFile(stream)
            groups = [parquet.read_row_group(group) for group in range(parquet.num_row_groups)]
            masks = [find_rows(rows, self.rewriter.people, vendor) for rows in groups]
            if not any(mask is not None for mask in masks):
                return
            writer = Writer(self.lake, path, parquet.schema_arrow)
            for rows, mask in zip(groups, masks, strict=True):
                writer.write(rows if mask is None else _blank(rows, mask))
            writer.close()
        self._add("contacts", sum(pc.sum(mask).as_py() for mask in masks if mask is not None), 1)

    def _erase_checkpoints(self) -> None:
        """Remove checkpoints that hold rows of these people. A checkpoint only saves work: its run starts afresh."""
        home = self.account.folder("unfinished")
        for window in self.lake.list_names(home):
            for name in self.lake.list_names(f"{home}/{window}"):
                folder = f"{home}/{window}/{name}"
                self._try(folder, partial(self._erase_checkpoint, folder))

    def _erase_checkpoint(self, folder: str) -> None:
        rows = sum(self._count_rows(f"{folder}/{name}") for name in self.lake.list_names(folder))
        if rows:
            self.lake.remove_folder(folder)
            self._add("unfinished", rows, 1)

    def _count_rows(self, path: str) -> int:
        if not path.endswith(".arrow"):
            return 0
        try:
            rows = unpack_rows(self.lake.read_bytes(path))
        except FileNotFoundError:
            return 0
        except pa.ArrowException:  # half-written: it may hold anything
            return 1
        mask = find_rows(rows, self.rewriter.people, find_vendor(self.account.vendor))
        return 0 if mask is None else pc.sum(mask).as_py()


def _blank(rows: pa.Table, mask: pa.BooleanArray) -> pa.Table:
    at = rows.schema.get_field_index("contact_id")
    return rows.set_column(at, rows.schema.field(at), pc.if_else(mask, "", rows.column(at)))


def name_place(path: str) -> str:
    """What a file holds, for a receipt: its layer, or the outcomes or the undated records of a window."""
    name = path.rpartition("/")[2]
    special = [word for word in ("outcomes", "undated") if f"-{word}-" in name]
    return special[0] if special else path.partition("/")[0]
