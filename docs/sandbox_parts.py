"""Parts of the sandbox's reference: configuration, options, faults, limits."""

from __future__ import annotations

import re
from inspect import getsource
from typing import Any

import msgspec
from markup import format_table

from airflow_provider_interactions.sandbox import LIMITS, FaultRule, RateLimit, SandboxConfig
from airflow_provider_interactions.sandbox.registry import VENDORS

#: The widest default that a table of options shows.
WIDEST = 60


def read_limits() -> str:
    """What the sandbox cannot know, one heading level as it stands."""
    return LIMITS.rstrip()


def describe_options(vendor: str) -> str:
    """The options of a vendor of the sandbox."""
    return _describe_struct(VENDORS[vendor].options)


def describe_config(name: str) -> str:
    """The fields of one of the sandbox's own structs."""
    return _describe_struct({"SandboxConfig": SandboxConfig, "FaultRule": FaultRule, "RateLimit": RateLimit}[name])


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
