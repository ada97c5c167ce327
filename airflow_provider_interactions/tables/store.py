"""The object storage of a bulk vendor: list folders, read files. By the library obstore."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from airflow_provider_interactions.contract.bulk import Access
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.tables.faults import translate_faults

#: Bytes that a file may have which is read whole: a list of tables.
MOST_BYTES = 16 * 1024 * 1024

#: Bytes of a file that are asked for at once.
BLOCK = 1024 * 1024

#: How long the library waits and tries by itself before the engine decides.
PATIENCE = {"timeout": "60s", "connect_timeout": "20s", "max_retries": "4", "retry_timeout": "120s"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a folder: its path below the root, its size in bytes, and when it was written (aware).

    ``tag`` changes with the content.
    """

    path: str
    size: int
    written_at: datetime
    tag: str


class Store:
    """The storage below an ``Access``. Every method raises VendorError."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._store = _open(access)

    @property
    def options(self) -> Mapping[str, str]:
        """The storage options for deltalake, with the secret in them."""
        return {**PATIENCE, **self.access.options}

    def address(self, path: str) -> str:
        """The full address of a folder below the root."""
        return f"{self.access.root}/{path}" if path else self.access.root

    def list_folders(self, path: str) -> Sequence[str]:
        """The names of the folders in a folder, sorted; empty if the folder does not exist."""
        import obstore

        with translate_faults(f"the folder {path or 'of the tables'}"):
            found = obstore.list_with_delimiter(self._store, path or None)
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def list_files(self, path: str) -> Iterator[StoredFile]:
        """All files below a folder."""
        import obstore

        with translate_faults(f"the folder {path}"):
            for page in obstore.list(self._store, path or None):
                for one in page:
                    tag = one["e_tag"] or f"{one['last_modified']:%s}-{one['size']}"
                    yield StoredFile(one["path"], one["size"], one["last_modified"], tag)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, None if it does not exist; raises BadResponse for one of more than 16 MiB."""
        import obstore

        with translate_faults(f"the file {path}"):
            try:
                found = obstore.get(self._store, path)
            except FileNotFoundError:
                return None
            if found.meta["size"] > MOST_BYTES:
                raise ConfigError(f"The file {path} is larger than {MOST_BYTES} bytes.")
            return bytes(found.bytes())

    def open(self, path: str) -> BinaryIO:
        """A file for reading."""
        import obstore

        with translate_faults(f"the file {path}"):
            return io.BufferedReader(_RemoteFile(obstore.open_reader(self._store, path)), BLOCK)


class _RemoteFile(io.RawIOBase):
    """The library's reader as a file of Python's, which pyarrow needs."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())

    def readinto(self, buffer: Any) -> int:
        # obstore 0.8 fails where less is left than it is asked for.
        left = self._reader.size - self._reader.tell()
        data = bytes(self._reader.read(min(len(buffer), left))) if left > 0 else b""
        buffer[: len(data)] = data
        return len(data)


def _open(access: Access) -> Any:
    """The library's store. Addresses are ``az://<container>/<path>``, or ``file:///<path>`` for files that are here."""
    store = _import_library()
    url = urlsplit(access.root)
    if url.scheme == "file":
        return store.LocalStore(url.path)
    config = dict(access.options)
    client = {
        "timeout": PATIENCE["timeout"],
        "connect_timeout": PATIENCE["connect_timeout"],
        "allow_http": config.pop("allow_http", "false") == "true",
    }
    return store.AzureStore(
        url.netloc,
        prefix=url.path.strip("/") or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": int(PATIENCE["max_retries"])},
    )


def _import_library() -> Any:
    try:
        import obstore.store
    except ImportError:
        msg = "Reading a vendor's tables needs more libraries. Install airflow-provider-interactions[journeys]."
        raise ConfigError(msg) from None
    return obstore.store
