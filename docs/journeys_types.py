"""Read the published tables of Customer Insights - Journeys and their columns, and write them into the package.

::

    git clone https://github.com/MicrosoftDocs/common-data-model-and-service
    python docs/journeys_types.py common-data-model-and-service

The package has the edition of commit fb44b3387 (2025-01-10). A test compares the vocabulary with the result.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

PAGES = "common-data-model/schema/core/applicationCommon/foundationCommon/crmCommon/solutions/CustomerInsightsJourneys/"
OUTPUT = (
    Path(__file__).parents[1] / "airflow_provider_interactions" / "vendors" / "dynamics_journeys" / "published.json"
)

#: A column's heading, and the first data format below it.
_COLUMN = re.compile(
    r'^### <a href=#(\w+) name="\1">\1</a>.*?<td>dataFormat</td><td>(\w+)</td>', re.MULTILINE | re.DOTALL
)
_TITLE = re.compile(r"^# (\w+) in CustomerInsightsJourneys$", re.MULTILINE)


def read_pages(clone: str) -> Iterator[str]:
    """The text of each page about a table, as the clone's newest commit has it."""
    names = _run(clone, "ls-tree", "--name-only", "HEAD", PAGES).splitlines()
    return (_run(clone, "show", f"HEAD:{name}") for name in names if not name.endswith(("overview.md", "toc.yml")))


def read_tables(pages: Iterator[str]) -> dict[str, dict[str, str]]:
    """The columns of each table with their types. Raises ValueError for a page of another shape."""
    found = {}
    for page in pages:
        title = _TITLE.search(page)
        if title is None:
            msg = f"a page has no title of the usual shape: {page[:200]!r}"
            raise ValueError(msg)
        columns = dict(_COLUMN.findall(page))
        if len(columns) != page.count("\n### <a href=#"):
            msg = f"a column of {title[1]} has no type"
            raise ValueError(msg)
        found[title[1]] = dict(sorted(columns.items()))
    return dict(sorted(found.items()))


def format_tables(tables: Mapping[str, Mapping[str, str]]) -> str:
    """JSON with one table a line: its columns by type, each list as one text, so that the file stays small."""
    lines = [f"{json.dumps(name)}: {json.dumps(_group_by_type(columns))}" for name, columns in tables.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _group_by_type(columns: Mapping[str, str]) -> dict[str, str]:
    kinds = sorted(set(columns.values()))
    return {kind: " ".join(name for name, one in columns.items() if one == kind) for kind in kinds}


def _run(clone: str, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - git with constant arguments
        ["git", "-C", clone, *arguments],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout


if __name__ == "__main__":
    OUTPUT.write_text(format_tables(read_tables(read_pages(sys.argv[1]))), encoding="utf-8")
