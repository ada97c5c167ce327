"""The words a trigger form offers, as plain data: a DAG file must not import the vendors' modules for them.

Tests compare them with what the vendors' modules say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_interactions.errors import ConfigError

#: Vendors by registry name, as people know them.
VENDORS = {
    "dynamics_marketing": "Dynamics 365 Marketing",
    "luminate_online": "Luminate Online",
    "which50": "Which50",
    "capillary": "Capillary",
}

#: What an identifier can be, and where it is understood.
KINDS = {
    "contact_id": "contact_id (Dynamics, Which50)",
    "cons_id": "cons_id (Luminate Online)",
    "member_id": "member_id (Luminate Online)",
    "email": "email (Luminate Online, Capillary)",
    "mobile": "mobile (Capillary)",
    "external_id": "external_id (Capillary)",
}

#: The same with the one a form begins with. Airflow shows a null by this key.
SHOWN_KINDS = {"None": "The vendor's own id (Capillary: the mobile number)", **KINDS}

#: A field for an instant, or for none. Airflow does not check the format by itself, so a pattern refuses what cannot
#: be an instant before there is a run: a date (midnight UTC), or a time with its zone.
WHEN = {
    "type": ["null", "string"],
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$",
}

#: The interaction types a vendor documents, in its own words. Luminate Online's are numbers of the site's own.
TYPES: dict[str, tuple[str, ...]] = {
    "dynamics_marketing": (
        *("ActivityContactBlocked", "ActivityContactDispatched", "ActivityContactProcessingFailed"),
        *("CreateCrmActivityContactProcessed", "CreateCustomChannelActivityContactProcessed"),
        *("CustomChannelResponse", "CustomerJourneyContactRecordUpdated", "EmailBlockBounced", "EmailBlocked"),
        *("EmailClicked", "EmailContainsBlockListedLinks", "EmailDelivered", "EmailFeedbackLoop"),
        *("EmailForwarded", "EmailHardBounced", "EmailOpened", "EmailSendingFailed", "EmailSent"),
        *("EmailSoftBounced", "EmailSubscriptionSubmit", "EventCheckIn", "EventRegistration", "FormSubmitted"),
        *("FormVisited", "InvalidRecipientAddress", "InvalidSenderAddress", "LeadScoreBoost"),
        *("OutOfEmailCredits", "PassThroughActivityContactProcessed", "RedirectLinkClicked"),
        *("SchedulerActivityContactProcessed", "SegmentRelationshipEdited", "SegmentSubscribed"),
        *("SegmentUnsubscribed", "SplitterActivityContactProcessed", "SurveyResponse"),
        *("TriggerActivityContactProcessed", "TriggerCrmWorkflowActivityContactProcessed", "WebsiteClicked"),
        "WebsiteVisited",
    ),
    "luminate_online": (),
    "which50": ("email", "sms", "landingpage", "event", "webform", "competition"),
    "capillary": (
        *("email", "emailbulk", "sms", "phone", "whatsapp", "line", "zalo", "viber", "missed_call", "survey"),
        *("feedback", "checkin", "like", "comment", "mention", "retweet", "tweet"),
    ),
}

#: The same in one list, as a form offers them, and beside each word the vendors that use it.
ALL_TYPES = list(dict.fromkeys(word for words in TYPES.values() for word in words))
SHOWN_TYPES = {
    word: f"{word} ({', '.join(VENDORS[name] for name, words in TYPES.items() if word in words)})" for word in ALL_TYPES
}


def checked_kind(vendor: str, kind: str | None, known: Sequence[str]) -> str | None:
    """What identifiers are; raises ConfigError, naming those the vendor knows, for a kind that it does not."""
    if kind is not None and kind not in known:
        msg = f"{vendor} knows nobody by {kind}. Kinds here are: {', '.join(known)}; without one it is {known[0]}."
        raise ConfigError(msg)
    return kind


def checked_types(vendor: str, types: Iterable[str]) -> list[str]:
    """Types to ask a vendor for; raises ConfigError for one that only other vendors have.

    The vendors' sets are open, so a word that nobody documents passes.
    """
    chosen = list(types)
    foreign = [word for word in chosen if word in SHOWN_TYPES and word not in TYPES.get(vendor, ())]
    if foreign:
        known = ", ".join(TYPES.get(vendor, ())) or "numbers of the site's own"
        msg = f"{vendor}: {', '.join(foreign)} belong to other vendors. Types here are: {known}."
        raise ConfigError(msg)
    return chosen
