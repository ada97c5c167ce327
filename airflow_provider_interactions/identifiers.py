"""Read an identifier from its source: text or a whole number. Anything else is an error that says what to do.

Messages never show the identifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from numbers import Integral
from uuid import UUID

from airflow_provider_interactions.errors import ConfigError

#: Floats cannot hold all whole numbers above this; digits may be lost.
EXACT = 2**53

#: The kind whose identifiers are compared without case: no system distinguishes people by the case of an address.
EMAIL = "email"

#: How spreadsheets write long numbers. The last digits are lost.
SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE]\+\d+")

#: The name of a column: words without digits, joined by blanks or underscores.
NAME = re.compile(r"[^\W\d]+(?: [^\W\d]+)*")

#: What a hash looks like: 40 or more hexadecimal digits, or a pseudonym of a policy. No vendor's identifier does.
HASH = re.compile(r"[0-9a-fA-F]{40,}|(hmac|enc):.*")

QUOTES = "\"'`\u2018\u2019\u201c\u201d"


def spell_identifier(value: object) -> str | None:
    """The identifier as text, or None if there is none. Raises ConfigError if its text is uncertain.

    A row with one column, from a query, means its value.
    """
    if isinstance(value, list | tuple) and len(value) == 1 and not isinstance(value[0], list | tuple):
        return spell_identifier(value[0])
    if value is None:
        return None
    if isinstance(value, str):
        return _spell_text(value)
    if isinstance(value, UUID):
        return str(value)
    return _spell_number(value)


def is_name_only(header: str, accepts: Callable[[str], bool]) -> bool:
    """Whether a CSV's header names a column, and is not the first identifier.

    If identifiers of this kind are free text, ``accepts`` accepts every word. Then a header of letters, blanks and
    underscores is a name. If the kind accepts no words, everything that it accepts is an identifier.
    """
    return not accepts(header) or (accepts("name") and NAME.fullmatch(header) is not None)


def looks_hashed(text: str) -> bool:
    """Whether a text is a hash of an identifier, by its look."""
    return HASH.fullmatch(text.strip()) is not None


def _spell_text(text: str) -> str:
    bare = text.strip()
    if "\ufffd" in bare:
        msg = "It has characters that were lost when its source was decoded. Read the source with its own encoding."
        raise ConfigError(msg)
    if SCIENTIFIC.fullmatch(bare):
        msg = "It is a number that a spreadsheet has shortened. Export the column as text."
        raise ConfigError(msg)
    if bare and (bare[0] in QUOTES or bare[-1] in QUOTES):
        msg = "It begins or ends with a quotation mark or an apostrophe. Remove the mark."
        raise ConfigError(msg)
    return text


def _spell_number(value: object) -> str:
    if not isinstance(value, bool) and isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return str(int(value))
    msg = f"It is neither text nor a whole number, but of type {type(value).__name__}. Give it as text."
    raise ConfigError(msg)
