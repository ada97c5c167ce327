"""The fifth vendor of ``add-a-vendor.md`` and how to put it into a copy of this repository.

``examples/acme_mail`` holds the new files at the places they have in the repository, and ``lines.toml`` what changes
in files that are there already.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLE = REPOSITORY / "docs" / "examples" / "acme_mail"

#: What a copy needs to run the package and its tests.
COPIED = ("airflow_provider_interactions", "dags", "tests", "pyproject.toml")

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "docs")


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file that is there already: ``find`` stands in it once, and becomes ``write``."""

    file: str
    find: str
    write: str


def find_new_files() -> list[Path]:
    """The files that are added, below ``EXAMPLE``, the package's first."""
    found = (path for path in EXAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(EXAMPLE) for path in found if path.name != "lines.toml")


def read_edits() -> Iterator[Edit]:
    """What changes in files that are there already; raises ValueError for an edit that does not fit."""
    for given in tomllib.loads((EXAMPLE / "lines.toml").read_text(encoding="utf-8"))["line"]:
        edit = Edit(**given)
        found = (REPOSITORY / edit.file).read_text(encoding="utf-8").count(edit.find)
        if found != 1:
            msg = f"lines.toml: {edit.find!r} is in {edit.file} {found} times, not once"
            raise ValueError(msg)
        yield edit


def copy_with_example(target: Path) -> Path:
    """Copy what is needed of this repository to ``target`` and put the vendor into it."""
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=_LEFT_OUT)
        else:
            shutil.copy2(source, target / name)
    for path in find_new_files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(EXAMPLE / path, target / path)
    for edit in read_edits():
        changed = target / edit.file
        changed.write_text(changed.read_text(encoding="utf-8").replace(edit.find, edit.write), encoding="utf-8")
    return target
