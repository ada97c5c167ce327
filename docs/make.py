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
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import getsource
from pathlib import Path
from typing import Any, get_args

import api
import msgspec
import picture
import pyarrow as pa
import walk

from airflow_provider_interactions import errors, provider_info, schema
from airflow_provider_interactions.sandbox import LIMITS, FaultRule, RateLimit, SandboxConfig
from airflow_provider_interactions.sandbox.registry import VENDORS as SANDBOX_VENDORS
from airflow_provider_interactions.vendors import NAMES, read_about
from airflow_provider_interactions.vendors.capillary import errors as capillary_errors
from airflow_provider_interactions.vendors.capillary import vocabulary as capillary_kinds
from airflow_provider_interactions.vendors.dynamics_marketing import errors as dynamics_errors
from airflow_provider_interactions.vendors.dynamics_marketing import vocabulary as dynamics_kinds
from airflow_provider_interactions.vendors.luminate_online import errors as luminate_errors
from airflow_provider_interactions.vendors.which50 import errors as which50_errors
from airflow_provider_interactions.vendors.which50 import vocabulary as which50_kinds

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- made: ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)

#: Tables of refusals longer than this are folded.
FOLDED = 10

#: The widest default that a table of options shows.
WIDEST = 60

Rows = Iterable[Sequence[object]]


def format_table(head: Sequence[str], rows: Rows) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '¦') for cell in line)} |" for line in lines)


def format_code(words: Iterable[object]) -> str:
    """Words in the type of code, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def format_block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def fold(summary: str, text: str) -> str:
    """Text that the reader unfolds."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


# The table


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


# The vendors' pages


def describe_connection(vendor: str) -> str:
    """The fields of a vendor's connection, from the form that Airflow shows."""
    form = provider_info.describe_connection(read_about(vendor))
    behaviour = form["ui-field-behaviour"]
    standard = [
        (
            f"`{name}`",
            label,
            f"for example `{behaviour['placeholders'][name]}`" if _has_example(behaviour, name) else "",
        )
        for name, label in behaviour["relabeling"].items()
    ]
    own = {name: field for name, field in form["conn-fields"].items() if name not in provider_info.COMMON}
    return format_table(
        ("field", "in the form", "meaning"),
        [*standard, *_describe_extras(own), *_describe_extras(provider_info.COMMON)],
    )


def _has_example(behaviour: Mapping[str, Any], name: str) -> bool:
    return name in behaviour["placeholders"]


def _describe_extras(fields: Mapping[str, Any]) -> Rows:
    for name, field in fields.items():
        words = [word for word in field["schema"].get("enum", ()) if word is not None]
        choice = f" One of {format_code(words)}." if words else ""
        yield f"extra `{name}`", field["label"], f"{field['description']}{choice}"


def describe_kinds(vendor: str) -> str:
    """What a vendor's types become."""
    return _KINDS[vendor]()


def _describe_dynamics_kinds() -> str:
    return _format_pairs(dynamics_kinds.KINDS, "`InteractionType`")


def _describe_which50_kinds() -> str:
    return _format_pairs(which50_kinds.KINDS, "`Interaction`, in any case and spacing")


def _format_pairs(found: Mapping[str, tuple[str, str]], title: str) -> str:
    rows = [(format_code(names), *map(_format_word, pair)) for pair, names in _group_by_value(found).items()]
    return format_table((title, "channel", "action"), [*rows, ("any other", "`other`", "`other`")])


def _describe_capillary_kinds() -> str:
    channels = [
        (
            format_code(names),
            f"`{channel}`",
            format_code([capillary_kinds.ACTIONS[names[0]]]) if _has_fixed_action(names) else "by status",
        )
        for (channel, _), names in _group_by_value(
            {name: (channel, capillary_kinds.ACTIONS.get(name)) for name, channel in capillary_kinds.CHANNELS.items()}
        ).items()
    ]
    statuses = [
        (format_code(names), f"`{action}`") for action, names in _group_by_value(capillary_kinds.STATUSES).items()
    ]
    last = [("none", "`sent`"), ("any other", "`other`")]
    first = format_table(("name of the entry", "channel", "action"), [*channels, ("any other", "`other`", "by status")])
    return f"{first}\n\n{format_table(('status', 'action'), [*statuses, *last])}"


def _has_fixed_action(names: Sequence[str]) -> bool:
    return names[0] in capillary_kinds.ACTIONS


_KINDS: dict[str, Callable[[], str]] = {
    "dynamics_marketing": _describe_dynamics_kinds,
    "which50": _describe_which50_kinds,
    "capillary": _describe_capillary_kinds,
}


def describe_refusals(vendor: str) -> str:
    """What a vendor's codes and statuses mean here; one row for each meaning."""
    found = {answer: verdict for verdicts in _REFUSALS[vendor] for answer, verdict in verdicts.items()}
    rows = [
        (_format_responses(answers), f"`{kind.__name__}`", _describe_outcome(kind), sentence)
        for (kind, sentence), answers in _group_by_value(found).items()
    ]
    found = format_table(("response", "error", "what happens", "message"), rows)
    return found if len(rows) <= FOLDED else fold(f"All {len(rows)}", found)


def _name_statuses(found: Mapping[int, Any]) -> dict[str, Any]:
    return {f"HTTP {status}": verdict for status, verdict in found.items()}


_REFUSALS: dict[str, Sequence[Mapping[str, Any]]] = {
    "dynamics_marketing": (
        {"HTTP 404, “segment”": (errors.ServiceRemoved, dynamics_errors.REMOVED)},
        dynamics_errors.CODES,
    ),
    "which50": (_name_statuses(which50_errors.STATUSES),),
    "luminate_online": (luminate_errors.CODES, _name_statuses(luminate_errors.STATUSES)),
    "capillary": (capillary_errors.CODES, _name_statuses(capillary_errors.STATUSES)),
}


def _format_responses(answers: Sequence[str]) -> str:
    return ", ".join(answer if " " in answer else f"`{answer}`" for answer in answers)


def _describe_outcome(kind: type[errors.VendorError]) -> str:
    if issubclass(kind, errors.ContactError):
        return "this contact is noted, the others go on"
    return "retried" if kind.retry else "the task fails"


def _group_by_value(found: Mapping[str, Any]) -> dict[Any, list[str]]:
    groups: dict[Any, list[str]] = {}
    for name, value in found.items():
        groups.setdefault(value, []).append(name)
    return groups


def _format_word(word: str) -> str:
    return f"`{word}`"


# The sandbox's page


def read_limits() -> str:
    """What the sandbox cannot know, one heading level as it stands."""
    return LIMITS.rstrip()


def describe_options(vendor: str) -> str:
    """The options of a vendor of the sandbox."""
    return _describe_struct(SANDBOX_VENDORS[vendor].options)


def describe_config(name: str) -> str:
    """The fields of one of the sandbox's own structs."""
    return _describe_struct({"SandboxConfig": SandboxConfig, "FaultRule": FaultRule, "RateLimit": RateLimit}[name])


def list_fault_kinds() -> str:
    """The kinds of faults."""
    return format_code(
        get_args(next(field.type for field in msgspec.structs.fields(FaultRule) if field.name == "kind"))
    )


def _describe_struct(kind: type[msgspec.Struct]) -> str:
    said = _read_comments(getsource(kind))
    rows = [
        (f"`{field.name}`", _format_default(field), said.get(field.name, "").replace("``", "`"))
        for field in msgspec.structs.fields(kind)
    ]
    return format_table(("field", "default", "meaning"), rows)


def _format_default(field: Any) -> str:
    if field.default is msgspec.NODEFAULT:
        return "" if field.default_factory is msgspec.NODEFAULT else "none"
    shown = msgspec.json.encode(field.default).decode()
    return f"{len(field.default)} of them" if len(shown) > WIDEST else f"`{shown}`"


def _read_comments(source: str) -> dict[str, str]:
    """The ``#:`` comments of a class, by the field they stand before."""
    found, said = {}, []
    for line in map(str.strip, source.splitlines()):
        if line.startswith("#:"):
            said.append(line.removeprefix("#:").strip())
        elif field := re.match(r"(\w+): ", line):
            found[field[1]], said = " ".join(said), []
    return found


PARTS: dict[str, Callable[..., str]] = {
    "columns": describe_columns,
    "words": list_words,
    "connection": describe_connection,
    "kinds": describe_kinds,
    "refusals": describe_refusals,
    "limits": read_limits,
    "options": describe_options,
    "config": describe_config,
    "fault kinds": list_fault_kinds,
    "api": api.describe_api,
    "walk": walk.describe_walk,
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


assert set(_REFUSALS) == set(NAMES)

if __name__ == "__main__":
    sys.exit(main())
