"""A manifest or a receipt as a page for people: counts, files and times, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import msgspec

from airflow_provider_interactions.lake.manifest import File, Manifest
from airflow_provider_interactions.person.receipt import Receipt
from airflow_provider_interactions.person.receipt_page import TITLE, write_receipt_body
from airflow_provider_interactions.window import zulu

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="static/coverage.css">
<script src="static/coverage.js" defer></script>
</head>
<body class="document">
<h1>{title}</h1>
{body}
</body>
</html>
"""


def render_manifest(path: str, manifest: Manifest) -> str:
    """The page of a manifest at a path of the lake. It names files and counts, and no personal data."""
    facts = {
        "Account": manifest.account,
        "Window": str(manifest.window),
        "Extracted at": zulu(manifest.extracted_at),
        "Manifest": path,
        "Schema version": manifest.schema_version,
        "Digest": manifest.digest or "of several batches, so none",
    }
    counts = msgspec.to_builtins(manifest.counts)
    files = {
        "Rows": manifest.files,
        "Outcomes": manifest.outcomes,
        "Rejected when normalized": manifest.rejects,
        "Rejected when fetched": manifest.undated,
    }
    body = [_render_table(facts.items()), "<h2>Counts</h2>", _render_table(counts.items())]
    for title, some in files.items():
        if some:
            body += [f"<h2>{escape(title)}</h2>", _render_files(some)]
    return _PAGE.format(
        title=escape(f"{manifest.vendor}, {manifest.window.start:%Y-%m-%d %H:%M} UTC"), body="\n".join(body)
    )


def render_receipt(receipt: Receipt) -> str:
    """The page of an erasure's receipt. It names nobody."""
    return _PAGE.format(title=TITLE, body=write_receipt_body(receipt))


def _render_table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{_render_value(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _render_files(files: Sequence[File]) -> str:
    rows = "".join(
        f"<tr><td>{escape(file.path)}</td><td class=number>{file.rows:,}</td><td class=number>{file.bytes:,}</td></tr>"
        for file in files
    )
    return f"<table><tr><th>Path in the lake</th><th>Rows</th><th>Bytes</th></tr>{rows}</table>"


def _render_value(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
