"""Which columns decide about a row: its key, version and instant, and its person.

Source: the Common Data Model (see ``vocabulary``): IdempotencyId "defines uniqueness of an analytics event", Version is
"used for updating the interaction", ProfileType is "Contact, Lead or CI Profile". Definitions of February 2024
(microsoft/CDM, bb7d676c1) have EntityId and EntityName instead, and no IdempotencyId. How the types are spelled is
unverified.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_interactions.contract.bulk import PersonColumn
from airflow_provider_interactions.vendors.shared.columns import replace_by_null
from airflow_provider_interactions.vendors.shared.guids import are_placeholders, spell_guids

#: The first one that is not null identifies an interaction of a type. Microsoft's own Power BI template takes the
#: second one for the id. That an id is unique beyond its type is not published.
KEYS = ("IdempotencyId", "InternalMarketingInteractionId")

VERSION = "Version"

_LARGEST_VERSION = pa.scalar(2**63 - 1, pa.uint64())

TIME = "Timestamp"

#: 1 for a delivery, -1 for a row that cancels one.
COUNT = "DeliveredCount"

_NEGATIVE = r"^\s*-0*[1-9]"

#: Kinds of people by the word of a type, in lower case.
KINDS = {"contact": "contact", "lead": "lead", "ci profile": "profile", "ciprofile": "profile", "profile": "profile"}

#: The first one that has an identifier names the person. A deleted contact comes first: without a ProfileType beside
#: it, ProfileId would not say that it is a contact.
PEOPLE = (
    PersonColumn("DeletedContactId", "contact"),
    PersonColumn("ProfileId", "profile", "ProfileType", KINDS),
    PersonColumn("ContactId", "contact"),
    PersonColumn("LeadId", "lead"),
    PersonColumn("EntityId", "profile", "EntityName", KINDS),
    PersonColumn("DeletedEntityId", "entity", "DeletedEntityType", KINDS),
    PersonColumn("VisitorId", "visitor"),
)

#: The kinds of identifier that a row may have, the usual one first.
PERSON_KINDS = ("contact", "lead", "profile", "visitor", "entity")


def read_versions(texts: pa.StringArray) -> pa.Int64Array:
    """Versions as numbers. Null where a text is not a whole number from 0 on that fits in 64 bits.

    A file may spell 5 as 5.0, because its writer had no type of whole numbers that may be null.
    """
    digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\.0+$", "")
    whole = pc.match_substring_regex(digits, r"^[0-9]{1,19}$")
    found = replace_by_null(digits, pc.invert(whole)).cast(pa.uint64())
    return replace_by_null(found, pc.greater(found, _LARGEST_VERSION)).cast(pa.int64())


def mark_cancellations(keys: pa.StringArray, counts: pa.StringArray) -> pa.StringArray:
    """Keys, with an ending where the count is negative: a row that cancels a delivery does not replace its row.

    Both are added up (fabric-integration.md, FAQ, 2026-03-26). Whether they share an id is not published.
    """
    cancelling = pc.fill_null(pc.match_substring_regex(counts, _NEGATIVE), False)
    if not pc.any(cancelling).as_py():
        return keys
    return pc.if_else(cancelling, pc.binary_join_element_wise(keys, "cancelled", ":"), keys)


def spell_ids(texts: pa.StringArray) -> pa.StringArray:
    """Identifiers in one spelling: GUIDs in lower case. Null where one stands for none, as the empty GUID does."""
    if texts.null_count == len(texts):
        return texts
    # Few people have many rows, and each is spelled once.
    coded = pc.utf8_trim_whitespace(texts).dictionary_encode()
    words = spell_guids(coded.dictionary)
    return replace_by_null(words, are_placeholders(words)).take(coded.indices)
