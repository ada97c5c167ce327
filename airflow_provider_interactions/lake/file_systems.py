"""Where the file systems of fsspec differ, as far as the lake has to know."""

from __future__ import annotations

import contextlib
from datetime import datetime
from inspect import signature
from typing import Any

from fsspec.spec import AbstractBufferedFile

from airflow_provider_interactions.lake.faults import REMOVING, is_storage_fault, translate_faults

#: Use a client of our own, because fsspec shares clients with other tasks in this process. Do not cache listings,
#: because a cached listing still has files that another process has removed.
UNCACHED = {"skip_instance_cache": True, "use_listings_cache": False}

#: Protocols without real folders. Making a folder there looks for the bucket, and creates it if it is absent.
OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"))


def clone_client(fs: Any) -> Any:
    """A file system like this one, with a client of its own and without cached listings; see ``UNCACHED``."""
    return type(fs)(*fs.storage_args, **{**fs.storage_options, **UNCACHED})


def choose_options(fs: Any) -> dict[str, int]:
    """Options to read a small file by one request. With its own, s3fs asks for the size first, to read in parts."""
    one = {"max_concurrency": 1}  # since s3fs 2025
    return one if hasattr(fs, "call_s3") and not one.keys().isdisjoint(signature(fs.cat_file).parameters) else {}


def abandon_stream(stream: Any, *, local: bool) -> None:
    """Give up a file that is being written. An object never appears; a local file is closed."""
    # The discard method of local streams works only inside fsspec's transactions.
    close = stream.close if local else getattr(stream, "discard", stream.close)
    try:
        close()
    except Exception as fault:
        # A full disk, a closed stream, a store that is away. Google answers 499 when it gave a file up.
        if not isinstance(fault, ValueError) and not is_storage_fault(fault):
            raise
    if isinstance(stream, AbstractBufferedFile):
        stream.closed = True  # otherwise it uploads its data, or fails to, on garbage collection


def abort_uploads(fs: Any, folder: str, before: datetime) -> None:
    """Abort the uploads to S3 below a folder that began before an instant (UTC), by processes that were killed.

    Their parts are invisible but cost money. Other stores drop such parts by themselves after a week. Needs the
    permissions to list and abort uploads. Without them a rule of the bucket must do it.
    """
    if not hasattr(fs, "call_s3"):
        return
    bucket, _, prefix = folder.partition("/")
    with translate_faults(REMOVING), contextlib.suppress(PermissionError):
        found = fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{prefix}/")
        for upload in found.get("Uploads", ()):
            if upload["Initiated"] < before:
                name = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                fs.call_s3("abort_multipart_upload", Bucket=bucket, **name)


def pass_over_gone(fault: OSError) -> None:
    """Go on if a folder vanished during a listing. A folder that cannot be read must not look empty."""
    if not isinstance(fault, FileNotFoundError):
        raise fault
