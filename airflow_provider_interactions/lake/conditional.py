"""Objects that stores replace only if they are still of a certain version: on S3, Azure and Google."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

#: What stores say if the object is another one by now, or if two writes met.
LOST = frozenset(("PreconditionFailed", "ConditionalRequestConflict", "412", "409"))


def open_store_object(fs: Any, protocols: Collection[str], path: str) -> StoreObject | None:
    """An object of a store, by fsspec's names of the store; None if we have no conditional write for it."""
    kinds = (kind for kind in (S3Object, BlobObject, GoogleObject) if not kind.protocols.isdisjoint(protocols))
    return next((kind(fs, path) for kind in kinds), None)


@dataclass(slots=True)
class StoreObject:
    """An object of a store, with what was read of it last.

    Renew an entry every so many ``seconds``, look at the object at each ``glance``, which is one HEAD request.
    ``FIELD`` is what the driver calls a version, and ``NEVER`` is none that the store gives.
    """

    fs: Any
    path: str
    seconds: float = 2.0
    glance: float = 0.2
    data: bytes = b""
    version: str = ""

    protocols = frozenset[str]()
    FIELD, NEVER = "", ""

    def read(self) -> tuple[bytes, str]:
        """Its content and its version; both empty if there is none. Raises as the driver does.

        The version comes first: if the object changes between the two calls, the swap is lost.
        """
        try:
            version = str(self.fs.info(self.path, refresh=True)[self.FIELD])
            if version != self.version:
                self.data, self.version = self.fs.cat_file(self.path), version
        except FileNotFoundError:
            return b"", ""
        return self.data, version

    def swap(self, data: bytes, version: str) -> bool:
        """Replace that version, or create the object. Returns False if it has changed. Raises as the driver does.

        A client repeats a write whose answer was lost. If the first one was done, the repeated one is refused, and this
        returns False, too.
        """
        try:
            written = self._write(data, version)
        except Exception as refusal:
            gone = bool(version) and isinstance(refusal, FileNotFoundError)  # else it is the bucket that is not there
            if gone or is_lost(refusal):
                return False
            raise
        self.data, self.version = data, str(written[self.FIELD])
        return True

    def check(self) -> bool:
        """Whether the store compares before it writes: it must refuse to replace a version that never was."""
        return not self.swap(self.read()[0], self.NEVER)

    def _write(self, data: bytes, version: str) -> Any:
        raise NotImplementedError


@dataclass(slots=True)
class S3Object(StoreObject):
    """An object of an S3 store: ``If-None-Match`` for the first version, ``If-Match`` with the ETag for later ones."""

    protocols = frozenset(("s3", "s3a"))
    FIELD, NEVER = "ETag", '"00000000000000000000000000000000"'

    def _write(self, data: bytes, version: str) -> Any:
        return self.fs.pipe_file(self.path, data, **({"IfMatch": version} if version else {"mode": "create"}))


@dataclass(slots=True)
class BlobObject(StoreObject):
    """A blob of Azure: the same two headers."""

    protocols = frozenset(("az", "abfs", "abfss"))
    FIELD, NEVER = "etag", '"0x0000000000000000"'

    def _write(self, data: bytes, version: str) -> Any:
        from azure.core import MatchConditions

        if not version:
            return self.fs.pipe_file(self.path, data, match_condition=MatchConditions.IfMissing)
        return self.fs.pipe_file(self.path, data, etag=version, match_condition=MatchConditions.IfNotModified)


@dataclass(slots=True)
class GoogleObject(StoreObject):
    """An object of Google's store: ``ifGenerationMatch``, with 0 for the first version.

    The driver's own writes know only the 0, so this is a request of its JSON API, with the driver's session and keys:
    https://cloud.google.com/storage/docs/request-preconditions and …/docs/json_api/v1/objects/insert, read 2026-11.
    """

    protocols = frozenset(("gs", "gcs"))
    FIELD, NEVER = "generation", "1"

    def _write(self, data: bytes, version: str) -> Any:
        bucket, name, _ = self.fs.split_path(self.path)
        boundary = uuid.uuid4().hex
        body = b"\r\n".join(
            (
                f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n".encode(),
                json.dumps({"name": name}).encode(),
                f"--{boundary}\r\nContent-Type: application/octet-stream\r\n".encode(),
                data,
                f"--{boundary}--".encode(),
            )
        )
        return self.fs.call(
            "POST",
            f"{self.fs._location}/upload/storage/v1/b/{{}}/o",  # noqa: SLF001 - the driver has no public name for it
            bucket,
            headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
            data=body,
            json_out=True,
            uploadType="multipart",
            ifGenerationMatch=version or "0",
        )


def is_lost(refusal: BaseException) -> bool:
    """Whether a store refused a write because the object is another one by now."""
    cause: BaseException | None = refusal
    while cause is not None:
        codes = (getattr(cause, "response", None), getattr(cause, "status_code", None), getattr(cause, "code", None))
        if not LOST.isdisjoint(map(_read_code, codes)):
            return True
        cause = cause.__cause__ or cause.__context__
    return isinstance(refusal, FileExistsError)


def _read_code(found: Any) -> str:
    """The code in a response of S3's client, or a status of Azure's or Google's."""
    return str(found.get("Error", {}).get("Code") if isinstance(found, dict) else found)
