"""A vendor's names and the fields of its connection's form: data only, so the import is cheap.

Each ``vendors/<name>/about.py`` has one ``About``. Airflow's metadata, the forms, the hooks, the demo and the
documentation read it. Most of them must not import anything heavy.
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

    ``name`` is the vendor's name in the registry and the type of its connection. ``person_kinds`` are the kinds of
    identifier for one person, the default first. ``bulk_kind`` is the kind that means everyone at once, None if the
    vendor has none. ``types`` are the documented interaction types. ``labels`` and ``placeholders`` belong to the
    standard fields of a connection. ``form`` holds one field for each of the vendor's own settings. ``url`` is the
    address of the vendor's documentation. ``instead`` says which other way the vendor offers for more contacts than can
    be asked for one by one, as a whole sentence. ``personal`` says of each canonical column, and of each path in
    ``attributes``, that is known to hold personal data which kind: the preset of a policy. The contact's own identifier
    is not among them. ``policy`` holds the actions that apply unless a policy says otherwise.
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
    instead: str | None = None
    personal: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, str] = field(default_factory=dict)

    @property
    def hook(self) -> str:
        """The name of the vendor's class in ``hooks``."""
        return "".join(map(str.capitalize, self.name.split("_"))) + "Hook"


def ask_text(label: str, description: str, **schema: Any) -> FormField:
    """A text field. Every field may stay empty: the form then stores null, and the hooks treat null as not given."""
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def ask_choice(label: str, description: str, *words: str) -> FormField:
    """A field with a choice of a few words."""
    return ask_text(label, description, enum=list(words))


def ask_switch(label: str, description: str, *, default: bool | None = None) -> FormField:
    """A yes-or-no field."""
    return {"label": label, "description": description, "schema": {"type": ["boolean", "null"], "default": default}}


def ask_number(label: str, description: str, kind: str, **schema: Any) -> FormField:
    """A number field; ``kind`` is "integer" or "number"."""
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}
