"""GUIDs, which the vendor prints in several spellings: in one, text by text and many at once."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

GUID = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE)


def spell_guid(text: str) -> str | None:
    """A GUID in lower case with dashes, from any spelling (braces, no dashes, upper case); None for other texts."""
    match = GUID.fullmatch(text.strip())
    return "-".join(match.groups()).lower() if match else None


def spell_guids(texts: pa.StringArray) -> pa.StringArray:
    """GUIDs in lower case with dashes, from any of their spellings; other texts as they are."""
    digits = pc.ascii_lower(pc.utf8_trim(texts, " \t\r\n{}"))
    digits = pc.replace_substring(digits, "-", "")
    known = pc.and_(pc.equal(pc.binary_length(digits), 32), pc.equal(pc.utf8_ltrim(digits, "0123456789abcdef"), ""))
    for at in (8, 13, 18, 23):
        digits = pc.binary_replace_slice(digits, at, at, "-")
    return pc.if_else(known, digits, texts)


def spell_repeated_guids(texts: pa.StringArray) -> pa.StringArray:
    """The same where few different ones come often: each is spelled once."""
    coded = texts.dictionary_encode()
    return spell_guids(coded.dictionary).take(coded.indices)


def are_placeholders(ids: pa.StringArray) -> pa.BooleanArray:
    """Which ids say that there is none: blanks, zeros in any spelling (above all the empty GUID), minus one."""
    return pc.or_(pc.equal(pc.utf8_ltrim(ids, " \t\r\n0.{}()-"), ""), pc.equal(ids, "-1"))
