"""The words a trigger form offers, as plain data: a DAG file must not import the vendors' code for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.vendors import list_abouts

#: Vendors by registry name, as people know them.
VENDORS = {about.name: about.title for about in list_abouts()}

#: What an identifier can be, and the vendors that understand it.
KINDS = {
    kind: f"{kind} ({', '.join(about.title for about in list_abouts() if kind in about.person_kinds)})"
    for kind in dict.fromkeys(kind for about in list_abouts() for kind in about.person_kinds)
}

#: The same with the one a form begins with. Airflow shows a null by this key.
SHOWN_KINDS = {
    "None": f"The vendor's own id ({', '.join(dict.fromkeys(about.person_kinds[0] for about in list_abouts()))})",
    **KINDS,
}

#: A field for an instant, or for none. Airflow does not check the format by itself, so a pattern refuses what cannot
#: be an instant before there is a run: a date (midnight UTC), or a time with its zone.
WHEN = {
    "type": ["null", "string"],
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$",
}

#: The interaction types a vendor documents, in its own words. None where they are numbers of the site's own.
TYPES = {about.name: about.types for about in list_abouts()}

#: The same in one list, as a form offers them, and beside each word the vendors that use it.
ALL_TYPES = list(dict.fromkeys(word for words in TYPES.values() for word in words))
SHOWN_TYPES = {
    word: f"{word} ({', '.join(VENDORS[name] for name, words in TYPES.items() if word in words)})" for word in ALL_TYPES
}


def require_kind(vendor: str, kind: str | None, known: Sequence[str]) -> str | None:
    """The kind of the identifiers; raises ConfigError that names the kinds of the vendor for another one."""
    if kind is not None and kind not in known:
        msg = f"{vendor} cannot look contacts up by {kind}. Use one of: {', '.join(known)} (default: {known[0]})."
        raise ConfigError(msg)
    return kind


def require_types(vendor: str, types: Iterable[str]) -> list[str]:
    """Types to ask a vendor for; raises ConfigError for one that only other vendors have.

    The vendors' sets are open, so a word that no vendor documents passes.
    """
    chosen = list(types)
    foreign = [word for word in chosen if word in SHOWN_TYPES and word not in TYPES.get(vendor, ())]
    if foreign:
        known = ", ".join(TYPES.get(vendor, ())) or "numbers of the site's own"
        msg = f"{vendor}: {', '.join(foreign)} belong to other vendors. Types here are: {known}."
        raise ConfigError(msg)
    return chosen
