"""What a vendor is called and what the form of its connection asks for: data only, cheap to import.

``vendors/<name>/about.py`` has one ``About``. Airflow's metadata, forms, hooks, the demo and the pages read it, most of
them where nothing heavy may be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: One field of a connection's form, as Airflow wants it.
FormField = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The facts about one vendor that need none of its code.

    ``name`` is its name in the registry and the type of its connection. ``person_kinds`` are the kinds of identifier
    for one person, the default first; ``bulk_kind`` is the kind that stands for everyone at once, where there is one.
    ``types`` are the documented interaction types. ``labels`` and ``placeholders`` are about the standard fields of a
    connection, ``form`` holds one field for each of the vendor's own settings. ``url`` is the vendor's documentation.
    """

    name: str
    title: str
    labels: Mapping[str, str]
    placeholders: Mapping[str, str]
    form: Mapping[str, FormField] = field(default_factory=dict)
    person_kinds: tuple[str, ...] = ("contact_id",)
    bulk_kind: str | None = None
    types: tuple[str, ...] = ()
    url: str | None = None

    @property
    def hook(self) -> str:
        """The name of its class in ``hooks``."""
        return "".join(map(str.capitalize, self.name.split("_"))) + "Hook"


def ask_text(label: str, description: str, **schema: Any) -> FormField:
    """A field for a text. Every field may be left empty: the form then stores null, which hooks take as not given."""
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def ask_choice(label: str, description: str, *words: str) -> FormField:
    """A field for one of a few words."""
    return ask_text(label, description, enum=list(words))


def ask_switch(label: str, description: str, *, default: bool | None = None) -> FormField:
    """A field for yes or no."""
    return {"label": label, "description": description, "schema": {"type": ["boolean", "null"], "default": default}}


def ask_number(label: str, description: str, kind: str, **schema: Any) -> FormField:
    """A field for a number; ``kind`` is "integer" or "number"."""
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}
