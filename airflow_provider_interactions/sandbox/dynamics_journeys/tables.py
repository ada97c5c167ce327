"""The 136 tables of "Customer Insights Journeys" and their columns.

``tables.txt`` has a line a table: its name, the groups of columns it has, and its other columns with their types.
Source: MicrosoftDocs/common-data-model-and-service, commit fb44b3387 (2025-01-10).
"""

from __future__ import annotations

from pathlib import Path

#: letters of the types: string, GUID, 32-bit and 64-bit integer, time, boolean, double
_GROUPS = {
    "C": "BusinessUnitId:g IdempotencyId:s InteractionType:s InternalMarketingInteractionId:s OrganizationId:g "
    "SourceSystem:i Timestamp:t Version:i",
    "P": "ProfileId:s ProfileType:s",
    "J": "CustomerJourneyId:g IsUnresolvedProfile:b JourneyActionId:s JourneyRunId:s MessageId:g "
    "MessageTemplateVersion:s",
    "O": "AccountId:g ActivityId:g ContactId:s CustomerJourneyIterationId:g LeadId:g",
    "M": "EmailAddressUsed:s SendingId:g UsageType:s",
    "S": "ActivityExpiryTime:t IsSmartScheduled:b SchedulerId:g",
    "X": "MessageVariationIndexes:s MessageVariationName:s",
    "V": "BrowserId:g BrowserVersion:s City:s CountryIsoCode:s OperatingSystemId:g OperatingSystemVersion:s "
    "PostalCode:s SearchEngineName:s SearchPhrase:s SessionId:s State:s VisitDuration:s VisitorAnonymousStatus:s "
    "VisitorId:s VisitorReturningStatus:s",
}


def _read_line(line: str) -> tuple[str, dict[str, str]]:
    name, groups, *own = line.split(" ")
    cells = [cell for group in groups for cell in _GROUPS[group].split(" ")] + own
    return name, dict(sorted((column, kind) for column, _, kind in (cell.partition(":") for cell in cells)))


#: by table, the type's letter of each column, in the order of their names
TABLES: dict[str, dict[str, str]] = dict(
    map(_read_line, Path(__file__).with_name("tables.txt").read_text(encoding="ascii").splitlines())
)

_BOOKKEEPING = (
    "Action", "Activity", "Conversion", "Create", "Customer", "Domain", "EmailContains", "EmailSending", "Entity",
    "Experimentation", "FormsProSurveyOpened", "Goal", "Journey", "Lead", "Missing", "Optimization", "OutOf",
    "PassThrough", "Scheduler", "Segment", "Splitter", "Trigger",
)  # fmt: skip

#: the tables of contacts' histories, without the bookkeeping of journeys
HISTORY = tuple(name for name in TABLES if not name.startswith(_BOOKKEEPING))

#: tables whose older rows have EntityId and EntityName and lack the columns that came in 2024 (JSON definitions of
#: microsoft/CDM, commit bb7d676c1, 2024-02-23, say so of 61 tables; these stand for them)
OLDER = frozenset(
    name for place, name in enumerate(TABLES) if place % 2 and {"IdempotencyId", "ProfileId"} <= {*TABLES[name]}
)
_NEW_IN_2024 = {"IdempotencyId", "ProfileId", "ProfileType"}


def list_columns(name: str, *, older: bool = False) -> dict[str, str]:
    """The columns of a table with the letters of their types; ``older``: as they were before 2024's change."""
    if not older:
        return TABLES[name]
    kept = {column: kind for column, kind in TABLES[name].items() if column not in _NEW_IN_2024}
    return kept | {"EntityId": "g", "EntityName": "s"}


def list_all_columns(name: str) -> dict[str, str]:
    """The columns of a table whose older rows are still there."""
    return TABLES[name] | (list_columns(name, older=True) if name in OLDER else {})


#: the tables that a sandbox has rows in, unless its options name others
USUAL = (
    *("EmailSent", "EmailDelivered", "EmailOpened", "EmailClicked", "EmailHardBounced", "EmailSoftBounced"),
    *("EmailBlocked", "EmailBlockedConsentNotGiven", "EmailForwarded", "EmailFeedbackLoop", "EmailSubscriptionSubmit"),
    *("BotEmailLinkClicked", "BotSmsLinkClicked"),
    *("SmsSent", "SmsDelivered", "SmsLinkClicked", "SmsReceived", "SmsNotSent"),
    *("PushNotificationSent", "PushNotificationOpened", "CustomSent", "CustomDelivered", "CustomReceived"),
    *("EventRegistration", "EventRegistrationCanceled", "EventCheckIn", "FormVisited", "FormSubmitted"),
    *("WebsiteVisited", "WebsiteClicked", "RedirectLinkClicked", "SurveyResponse", "ConfirmationRequest"),
)
