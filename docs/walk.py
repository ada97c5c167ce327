"""One record's walk through the code, from the wire to the table: what the page and the picture show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Files of the package by task, in the order in which a record passes them, each with what it does.
WALK: Mapping[str, Sequence[tuple[str, str]]] = {
    "extract": (
        ("extract/pipeline.py", "Opens the client and asks the vendor one query for each contact, many at a time."),
        ("vendors/<name>/vendor.py", "Runs the paging loop: makes each request, and yields a page of records."),
        ("http/client.py", "Signs and sends the request, keeps to the vendor's pace, retries, and gets the bytes."),
        ("vendors/<name>/responses.py", "Cuts the response into records, byte for byte, and reads their times."),
        ("extract/tracker.py", "Keeps the records that lie in the window, and counts all of them."),
        ("extract/raw_writer.py", "Writes the records to a Parquet file below `raw/`."),
    ),
    "normalize": (
        ("normalize/window.py", "Commits the raw files of all batches as one window, and normalizes it."),
        ("normalize/pipeline.py", "Reads the raw files, writes rows by day and rejects; publish.py commits them."),
        ("normalize/rows.py", "Decides for each record: row, reject or repeat."),
        ("vendors/<name>/mapping.py", "Maps the fields of many records at once to the columns of the table."),
    ),
    "load": (
        ("load/__init__.py", "Takes the window as it is published now."),
        ("load/duckdb_merge.py", "Merges its rows into the table by key, in one transaction."),
    ),
}


def describe_walk() -> str:
    """The walk as a numbered list."""
    steps = [(task, *step) for task, steps in WALK.items() for step in steps]
    return "\n".join(f"{number}. `{file}` ({task}): {says}" for number, (task, file, says) in enumerate(steps, start=1))
