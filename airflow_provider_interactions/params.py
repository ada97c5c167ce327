"""The choices of a trigger form, as plain data. A DAG file that uses them does not import the vendors' code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors import list_abouts

#: The vendors' titles by registry name.
VENDORS = {about.name: about.title for about in list_abouts()}

#: The kinds of identifiers, each with the vendors that understand it.
KINDS = {
    kind: f"{kind} ({', '.join(about.title for about in list_abouts() if kind in about.person_kinds)})"
    for kind in dict.fromkeys(kind for about in list_abouts() for kind in about.person_kinds)
}

#: The same, and the choice that a form begins with. Airflow shows the value null by the key "None".
SHOWN_KINDS = {
    "None": f"The vendor's own id ({', '.join(dict.fromkeys(about.person_kinds[0] for about in list_abouts()))})",
    **KINDS,
}

#: An optional field for an instant: a date (midnight UTC), or a time with its zone. Airflow does not check the format
#: itself, so a pattern refuses other texts before a run is made.
WHEN = {
    "type": ["null", "string"],
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$",
}

#: The field ``plan``: the run logs what it would take, and extracts nothing.
PLAN = {
    "type": "boolean",
    "title": "Plan only",
    "description": "Log what the run would take in requests, hours and files. Extract nothing.",
}

#: The interaction types that a vendor documents, in its own words. Empty if each site numbers its own types.
TYPES = {about.name: about.types for about in list_abouts()}

#: All types in one list, as a form offers them, and for each type the vendors that use it.
ALL_TYPES = list(dict.fromkeys(word for words in TYPES.values() for word in words))
SHOWN_TYPES = {
    word: f"{word} ({', '.join(VENDORS[name] for name, words in TYPES.items() if word in words)})" for word in ALL_TYPES
}


def require_kind(vendor: str, kind: str | None, kinds: Sequence[str]) -> str | None:
    """Check the kind of the identifiers; raises ConfigError that names the vendor's kinds."""
    if kind is not None and kind not in kinds:
        msg = f"{vendor} cannot look contacts up by {kind}. Use one of: {', '.join(kinds)} (default: {kinds[0]})."
        raise ConfigError(msg)
    return kind


def require_types(vendor: str, types: Iterable[str]) -> list[str]:
    """Check the types to ask a vendor for; raises ConfigError for a type that only other vendors have.

    The vendors may add types, so a word that no vendor documents passes.
    """
    chosen = list(types)
    foreign = [word for word in chosen if word in SHOWN_TYPES and word not in TYPES.get(vendor, ())]
    if foreign:
        own = ", ".join(TYPES.get(vendor, ())) or "the site's own numbers"
        msg = f"{vendor}: {', '.join(foreign)} belong to other vendors. Types of {vendor}: {own}."
        raise ConfigError(msg)
    return chosen
