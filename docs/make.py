"""Writes the parts of the documentation that follow from the code, and the pictures.

    python docs/make.py              everything
    python docs/make.py table        one page (docs/table.md), or several
    python docs/make.py pictures     the pictures
    python docs/make.py --check      writes nothing; says what is out of date, and fails if something is

A page marks such a part with ``<!-- made: name argument -->`` and ``<!-- end -->``; the names are in ``PARTS``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import api
import deploy_parts
import picture
import pyarrow as pa
import sandbox_parts
import sizing_parts
import vendor_parts
import walk
from markup import format_code, format_table

from airflow_provider_interactions import schema
from airflow_provider_interactions.shell.exits import MEANINGS

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- made: ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def describe_columns(name: str) -> str:
    """The data dictionary of one of the schemas of ``schema.py``."""
    fields: pa.Schema = getattr(schema, name)
    rows = (
        (f"`{field.name}`", _name_arrow_type(field.type), "yes" if field.nullable else "", _read_meaning(field))
        for field in fields
    )
    return format_table(("column", "Arrow type", "may be null", "meaning"), rows)


def _name_arrow_type(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return "string, dictionary"
    return "timestamp, µs, UTC" if pa.types.is_timestamp(kind) else str(kind)


def _read_meaning(field: pa.Field) -> str:
    return re.sub(r"^one of [A-Z]+$", "one of the words below", field.metadata[b"meaning"].decode())


def list_words(name: str) -> str:
    """The vocabulary of a column."""
    return format_code(sorted(getattr(schema, name)))


def list_exits() -> str:
    """The exit codes of the shell."""
    return format_table(("exit code", "meaning"), ((str(int(code)), meaning) for code, meaning in MEANINGS.items()))


PARTS: dict[str, Callable[..., str]] = {
    "columns": describe_columns,
    "words": list_words,
    "connection": vendor_parts.describe_connection,
    "personal": vendor_parts.describe_personal,
    "kinds": vendor_parts.describe_kinds,
    "statuses": vendor_parts.describe_statuses,
    "refusals": vendor_parts.describe_refusals,
    "limits": sandbox_parts.read_limits,
    "options": sandbox_parts.describe_options,
    "config": sandbox_parts.describe_config,
    "api": api.describe_api,
    "sizing assumptions": sizing_parts.describe_assumptions,
    "sizing billion": sizing_parts.describe_billion,
    "sizing day": sizing_parts.describe_day,
    "sizing types": sizing_parts.describe_types,
    "sizing ways": sizing_parts.describe_ways,
    "walk": walk.describe_walk,
    "celery": deploy_parts.describe_settings,
    "exits": list_exits,
}


def fill_page(page: str) -> str:
    """A page with all its parts as they follow from the code; raises KeyError for a part without a maker."""
    return PART.sub(lambda found: f"{found[1]}\n{_make_part(found[2])}\n\n{found[3]}", page)


def _make_part(name: str) -> str:
    maker = next((maker for maker in sorted(PARTS, key=len, reverse=True) if f"{name} ".startswith(f"{maker} ")), name)
    return PARTS[maker](*name.removeprefix(maker).split())


def find_pages() -> dict[str, Path]:
    """Every page, by the name that the command line knows it by."""
    found = sorted(path for folder in (DOCS, DOCS / "reference") for path in folder.glob("*.md"))
    return {path.relative_to(DOCS).with_suffix("").as_posix(): path for path in found}


def make_all(names: Sequence[str]) -> dict[Path, str]:
    """The files of these names, all for none, and what should be in them."""
    found = {
        path: fill_page(path.read_text(encoding="utf-8"))
        for name, path in find_pages().items()
        if _is_wanted(name, names)
    }
    if _is_wanted("pictures", names):
        found |= {DOCS / name: draw() for name, draw in picture.PICTURES.items()}
    return found


def _is_wanted(name: str, names: Sequence[str]) -> bool:
    return not names or name in names


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is out of date, or only say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="page", help=f"one of {', '.join([*find_pages(), 'pictures'])}")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is out of date")
    parsed = parser.parse_args(arguments)
    if unknown := set(parsed.names) - {*find_pages(), "pictures"}:
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    stale = {path: text for path, text in make_all(parsed.names).items() if _read_if_there(path) != text}
    for path, text in stale.items():
        print(f"{'out of date' if parsed.check else 'written'}: docs/{path.relative_to(DOCS)}")
        if not parsed.check:
            path.write_text(text, encoding="utf-8")
    return int(parsed.check and bool(stale))


def _read_if_there(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
