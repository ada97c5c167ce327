"""The options of the sandbox's Capillary: whatever the vendor's pages leave open."""

from __future__ import annotations

from typing import Literal

import msgspec

from airflow_provider_interactions.sandbox.page_size import Maximum

NAME = "capillary"

Api = Literal["v1.1", "v2"]
#: a body's shape: that of v2, or the v1.1 envelope as printed about 2013 and in 2025
Form = Literal["v2", "2013", "2025"]
Malformed = Literal["five_digit_year", "unpadded_date", "raw_line_break", "no_id"]

#: entries in the order they are sent; phone stands before sms, as in the sample of "Get Customer Interactions" (v2,
#: docs.capillarytech.com, read 2026-11)
CHANNELS = (
    "survey", "line", "viber", "emailbulk", "email", "whatsapp", "missed_call", "phone", "sms", "zalo",
)  # fmt: skip


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this sandbox's Capillary differs from the default."""

    till: str = "sandbox.till01"
    #: not ASCII: its hash depends on the encoding
    password: str = "sandbox:pässword"  # noqa: S105  made up for the sandbox
    key: str = "sandboxclientkey"
    secret: str = "sandbox+secret/with=signs"  # noqa: S105  made up for the sandbox
    #: what the connection logs in with; the server takes both
    auth: Literal["basic", "oauth"] = "basic"
    #: which API the connection asks, and the oracle is about; the server answers both
    api: Api = "v2"
    #: zone of every time without an offset; unpublished for interactions (the vendor's page on zones is about
    #: transactions)
    time_zone: str = "UTC"
    #: deliveredTime is the server's clock time with a false Z (the v2 sample allows both readings)
    false_z: bool = False
    #: seconds; 300 is the sample of the page "OAuth"
    token_seconds: float = 300.0
    #: one overview page names CAP-API-ACCESS-TOKEN instead
    token_header: str = "X-CAP-API-OAUTH-TOKEN"  # noqa: S105  a header's name
    #: HTTP status of v2 answers that hold errors about the customer; unpublished
    error_status: int = 200
    #: each path answers in the other's shape: the vendor's page mixes them
    swapped: bool = False
    #: how the v1.1 envelope is written; "both" differs from contact to contact
    edition: Literal["both", "2013", "2025"] = "both"
    #: v1.1: what ``limit`` and ``offset`` count; unpublished
    paging: Literal["total", "channel"] = "total"
    #: v1.1: the most that ``limit`` can ask for; unpublished. Several take turns from page to page (null: none)
    limit_max: Maximum = None
    #: v1.1: pages that are given before ``limit_max`` holds
    limit_max_after: int = 0
    #: v1.1: from the second page on so many rows at the beginning of the list (of each channel, where ``paging`` counts
    #: by channel) are gone
    rows_leave: int = 0
    #: v1.1: ``count`` is the number of messages in this answer, or in the whole channel
    count: Literal["page", "channel"] = "page"
    #: False: ``type`` changes nothing, as in a sample of 2025
    type_filters: bool = True
    #: channels that messages of the world come in
    types: tuple[str, ...] = ("email", "emailbulk", "sms", "phone", "whatsapp", "line", "zalo", "viber")
    #: about one message in nine has each of these faults
    malformed: tuple[Malformed, ...] = ()
    #: positions of distinct histories; the vendor does not know their contacts; None: the third one,
    #: and nobody if ``per_contact`` is set
    unknown: tuple[int, ...] | None = None
    #: the same for contacts deleted after a PII request; None: the seventh one, nobody if ``per_contact`` is set
    deleted: tuple[int, ...] | None = None
