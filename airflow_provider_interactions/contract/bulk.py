"""Bulk vendors: they keep everybody's interactions in tables, and have no request for one contact.

A table holds the rows of one interaction type. It is a folder in object storage, in Delta, Parquet or CSV. The vendor
says how to get access, where the tables are, and which columns matter. The room ``tables`` reads them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_provider_interactions.contract import Credentials, Fetch

#: The context of a raw row whose key has a newer row in the window: it becomes no row of the table, and no reject.
SUPERSEDED = '{"superseded":true}'


@dataclass(frozen=True, slots=True)
class Access:
    """Access to a vendor's object storage for a while.

    ``root`` is the address of the folder with the tables (``az://<container>/<path>``). ``options`` are the storage
    options of the library object_store, with the secret in them. ``expires_in`` is in seconds from now, None if the
    access lasts as long as the token that it was opened with.
    """

    root: str
    options: Mapping[str, str] = field(repr=False)
    expires_in: float | None = None


@dataclass(frozen=True, slots=True)
class TableAddress:
    """One table: the interaction type of its rows, and its folder below the root."""

    native_type: str
    path: str


class Folders(Protocol):
    """The folders below a root, for the vendor's ``find_tables``. Both raise VendorError."""

    def list_folders(self, path: str) -> Sequence[str]:
        """The names of the folders in a folder, sorted; empty if the folder does not exist."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, None if it does not exist."""


@dataclass(frozen=True, slots=True)
class PersonColumn:
    """A column that names the person of a row.

    ``kind`` is the kind of identifier in it. With ``kind_column``, ``kinds`` maps the words of that column, in lower
    case, to kinds; ``kind`` then stands for all other words.
    """

    name: str
    kind: str
    kind_column: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """How to read a vendor's tables. Names of columns match without regard to case.

    ``open_access(fetch, token, credentials)`` gets access; ``token`` is that of ``Vendor.auth``. ``find_tables`` lists
    the tables that an extraction reads; it raises a VendorError that says what is missing if there are none.
    ``time`` is the column of the instant, and ``read_times`` reads it (pyarrow.StringArray) where it is text.
    The first of ``keys`` that is not null identifies an interaction; of several rows with one key, the one with the
    greatest number in ``version`` counts. The mapping writes that number to the column ``revision``. ``read_versions``
    reads it (pyarrow.StringArray) where it is text, null where a text is none.
    The first of ``people`` that is not null names the person; ``spell_ids`` gives identifiers (pyarrow.StringArray)
    their one spelling, and null to texts that stand for none. A key may not be such a text either; apart from that, it
    stays as it is. ``mark_keys(keys, counts)``, with the texts of the column ``count``, changes the keys of rows that
    are interactions of their own though they may share the key of another row.
    """

    open_access: Callable[[Fetch, str, Credentials[Any]], Awaitable[Access]]
    find_tables: Callable[[Folders, Credentials[Any], Any], Iterable[TableAddress]]
    time: str
    read_times: Callable[[Any], Any]
    keys: Sequence[str]
    version: str
    read_versions: Callable[[Any], Any]
    people: Sequence[PersonColumn]
    spell_ids: Callable[[Any], Any]
    count: str = ""
    mark_keys: Callable[[Any, Any], Any] | None = None
