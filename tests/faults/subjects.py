"""What the mutations are tried on: each vendor in each of its forms, and its lists of contacts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Subject:
    """A vendor in one of its forms. ``calls`` is a part of the address whose answers are changed.

    ``records`` matches the places that are a record, or lie in one; ``times`` those of a record's instant. ``fewer``
    are changes, each ``name at place``, that leave a good answer of fewer records.
    """

    vendor: str
    calls: str
    records: str
    times: str = "never"
    fewer: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    listing: bool = False


def empty_at(*places: str) -> tuple[str, ...]:
    """Every way to leave nothing in a container, of which its reader takes those that are known to mean nothing."""
    return tuple(f"{how} at {place}" for place in places for how in ("empty", "empty otherwise", "null"))


def drop_at(*places: str) -> tuple[str, ...]:
    """Something that no number counts is left out."""
    return tuple(f"drop at {place}" for place in places)


TYPES = ["FormSubmitted"]

# Nothing counts Dynamics' records, and a cursor that is null or empty is how the last page looks.
_DYNAMICS = (*drop_at("$.Data[]"), *empty_at("$.Data", "$.NextSkipToken"))

# Luminate counts nothing, and its JSON has no key for no element, an object for one: "none" has no published form.
_LUMINATE = "$.getUserInteractionsResponse"
_LUMINATE_JSON = (
    *drop_at(f"{_LUMINATE}.interaction[]", f"{_LUMINATE}.interaction"),
    *empty_at(f"{_LUMINATE}.interaction", _LUMINATE),
    f"unwrap at {_LUMINATE}.interaction",
)

# Capillary v2 counts messages, not channels. v1.1 was XML: one child is an object, none is empty or absent; its counts
# are of all pages, so that a channel whose messages end with the page before is a channel that has ended.
_NETWORK = "$.response.customer.interactions.network"
_CHANNEL = f"{_NETWORK}[].interaction"
_CAPILLARY_OLD = (
    *drop_at(_NETWORK, f"{_NETWORK}[]", _CHANNEL, f"{_CHANNEL}[]"),
    *empty_at("$.response.customer.interactions", _NETWORK, _CHANNEL, f"{_CHANNEL}[].messages"),
    *empty_at(f"{_CHANNEL}[].messages.message", f"{_CHANNEL}.messages", f"{_CHANNEL}.messages.message"),
    *drop_at(f"{_CHANNEL}[].messages.message", f"{_CHANNEL}[].messages.message[]"),
    f"unwrap at {_NETWORK}",
    f"unwrap at {_CHANNEL}",
    f"unwrap at {_CHANNEL}[].messages.message",
)


def xml_of_fewer(root: str, record: str) -> tuple[str, ...]:
    """A root without one record, or without any."""
    return f"drop at /{root}/{record}", f"empty at /{root}", f"children gone at /{root}"


SUBJECTS = {
    "dynamics_marketing": Subject(
        "dynamics_marketing",
        calls="LoadInteractions",
        records=r"\$\.Data\[\]",
        times=r"\$\.Data\[\]\.Timestamp",
        fewer=_DYNAMICS,
        options={"types": TYPES, "page_size": 4},
    ),
    "dynamics_marketing large": Subject(
        "dynamics_marketing",
        calls="LoadInteractions",
        records=r"\$\.Data\[\]",
        times=r"\$\.Data\[\]\.Timestamp",
        fewer=_DYNAMICS,
        options={"types": TYPES},
    ),
    "luminate_online xml": Subject(
        "luminate_online",
        calls="SRConsAPI",
        records=r"/getUserInteractionsResponse/interaction",
        times=r".*/interaction/creationDate",
        fewer=xml_of_fewer("getUserInteractionsResponse", "interaction"),
        options={"page_size": 7},
    ),
    "luminate_online json": Subject(
        "luminate_online",
        calls="SRConsAPI",
        records=r"\$\.getUserInteractionsResponse\.interaction\[\]",
        times=r".*\.creationDate",
        fewer=_LUMINATE_JSON,
        options={"page_size": 7},
        extra={"response_format": "json"},
    ),
    "which50 json": Subject(
        "which50",
        calls="/communications",
        records=r"\$\[\]",
        times=r"\$\[\]\.Occurred",
        fewer=("drop at $[]", "empty at $", "empty otherwise at $"),
    ),
    "which50 xml": Subject(
        "which50",
        calls="/communications",
        records=r"/ArrayOfContactInteraction/ContactInteraction",
        times=r".*/Occurred(/.*)?",
        fewer=xml_of_fewer("ArrayOfContactInteraction", "ContactInteraction"),
        extra={"response_format": "xml"},
    ),
    "capillary v2": Subject(
        "capillary",
        calls="/interaction",
        records=r"\$\.interaction\[\]\.messageList\[\]",
        times=r".*(sentDate|_?[tT]ime)",
        fewer=(*drop_at("$.interaction[]"), *empty_at("$.interaction")),
    ),
    "capillary v1.1": Subject(
        "capillary",
        calls="/interaction",
        records=r"\$\.response\.customer\.interactions\.network\[\]\.interaction(\[\])?\.messages\.message(\[\])?",
        times=r".*(sentDate|_time|\.time)",
        fewer=_CAPILLARY_OLD,
        options={"page_size": 7},
        extra={"api": "v1.1"},
    ),
    "dynamics_marketing contacts": Subject(
        "dynamics_marketing",
        calls="/contacts",
        records=r"\$\.value\[\]",
        fewer=(*drop_at("$.value[]"), *empty_at("$.value")),
        options={"page_size": 4},
        listing=True,
    ),
    "luminate_online contacts xml": Subject(
        "luminate_online",
        calls="SRConsAPI",
        records=r"/getGroupMembersResponse/member",
        options={"group_id": 1001},
        listing=True,
    ),
    "luminate_online contacts json": Subject(
        "luminate_online",
        calls="SRConsAPI",
        records=r"\$\.getGroupMembersResponse\.member\[\]",
        options={"group_id": 1001},
        extra={"response_format": "json"},
        listing=True,
    ),
    # Lists are counted by their Count; nothing counts the lists.
    "which50 contacts json": Subject(
        "which50",
        calls="/contactLists",
        records=r"\$\[\]",
        fewer=("drop at $[]", "empty at $", "empty otherwise at $"),
        listing=True,
    ),
    "which50 contacts xml": Subject(
        "which50",
        calls="/contactLists",
        records=r"/ArrayOf\w+/\w+",
        fewer=xml_of_fewer("ArrayOfContactsList", "ContactsList"),
        extra={"response_format": "xml"},
        listing=True,
    ),
}
