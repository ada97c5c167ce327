"""Which fields each Dynamics interaction type has.

Types: "Retrieve interactions for a contact using code" (edition of 2021-01-06). Fields: the pages of the Common Data
Model of 2020-08 (github.com/MicrosoftDocs/common-data-model-and-service, …/solutions/marketing/interactions, commit
fb44b3387 of 2025-01-10); that the action answers with them in PascalCase is an inference.
"""

from __future__ import annotations


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_JOURNEY = _split("CustomerJourneyIterationId ActivityId WorkflowId")
_MAIL = _split("MessageId SendingId CustomerJourneyIterationId UsageType")
_PLACE = _split(
    "CountryIsoCode State City PostalCode BrowserId BrowserVersion OperatingSystemId OperatingSystemVersion"
)
_VISIT = (*_split("VisitorId SessionId"), *_PLACE, *_split("VisitorAnonymousStatus LeadId"))
_SEARCH = _split("SearchPhrase SearchEngineName VisitDuration VisitorReturningStatus")
_ADDRESS = _split("EmailDomain EmailAddressUsed")
_FORM_VISITED = (*_VISIT, *_SEARCH, *_split("FormId PageId MessageId SendingId ReferrerUri"))
_SEGMENT = (
    *_VISIT,
    *_SEARCH,
    *_split("SegmentId MessageId SendingId CustomerJourneyIterationId"),
    *_ADDRESS,
    "FormSubmissionId",
)
_WEBSITE = (
    *_VISIT,
    *_SEARCH,
    *_split("WebsiteId PageId PageAddress ReferrerUri SendingId CustomerJourneyIterationId"),
)

#: extra fields by type, beyond those all types have
FIELDS: dict[str, tuple[str, ...]] = {
    # No page in the model; a journey step by its name.
    "ActivityContactBlocked": _JOURNEY,
    "ActivityContactDispatched": _JOURNEY,
    "ActivityContactProcessingFailed": _JOURNEY,
    "CreateCrmActivityContactProcessed": _JOURNEY,
    "CreateCustomChannelActivityContactProcessed": _JOURNEY,
    "CustomChannelResponse": (*_JOURNEY, *_split("EntityId EntityType ResponseType TriggerKeyword")),
    "CustomerJourneyContactRecordUpdated": _split("CustomerJourneyIterationId ActivityId"),
    "EmailBlockBounced": (*_MAIL, *_split("ActivityId BounceCategory")),
    "EmailBlocked": (*_MAIL, *_split("ActivityId BlockedReason")),
    "EmailClicked": (
        *_MAIL,
        *_VISIT,
        *_split("ActivityId LinkId LinkFriendlyName OriginalLink OriginalUrl"),
        *_ADDRESS,
    ),
    "EmailContainsBlockListedLinks": (*_MAIL, *_split("ActivityId BlacklistedLink")),
    "EmailDelivered": (*_MAIL, "ActivityId"),
    "EmailFeedbackLoop": _MAIL,
    "EmailForwarded": (
        *_MAIL,
        *_VISIT,
        *_SEARCH,
        *_ADDRESS,
        *_split("SecondaryRecipientProfileId FormSubmissionId"),
    ),
    "EmailHardBounced": (*_MAIL, *_split("ActivityId BounceCategory RemoteBounce")),
    "EmailOpened": (*_MAIL, *_VISIT, *_split("ActivityId MarketingEmailId"), *_ADDRESS),
    "EmailSendingFailed": _MAIL,
    "EmailSent": (*_MAIL, "ActivityId", *_ADDRESS),
    "EmailSoftBounced": (*_MAIL, *_split("ActivityId BounceCategory RemoteBounce")),
    "EmailSubscriptionSubmit": (*_MAIL, *_PLACE, *_split("DeviceType DeviceBrand DeviceModel")),
    "EventCheckIn": _split("EventId EventCheckinId"),
    "EventRegistration": _split("EventId EventRegistrationId"),
    "FormSubmitted": (
        *_FORM_VISITED,
        *_split("FormName FormSubmissionId CustomerJourneyIterationId Result ContactMatchingResult"),
        *_split("LeadMatchingResult ContactFailureMessage LeadFailureMessage"),
    ),
    "FormVisited": _FORM_VISITED,
    "InvalidRecipientAddress": (*_MAIL, "BlockedReason"),
    "InvalidSenderAddress": (*_MAIL, "BlockedReason"),
    "LeadScoreBoost": _split("CustomerJourneyIterationId ActivityId BoostValue"),
    "OutOfEmailCredits": _MAIL,
    "PassThroughActivityContactProcessed": _JOURNEY,
    "RedirectLinkClicked": (
        *_VISIT,
        *_SEARCH,
        *_split("MessageId SendingId CustomerJourneyIterationId LinkId Link OriginalUrl ReferrerUri"),
    ),
    "SchedulerActivityContactProcessed": (*_JOURNEY, "Path"),
    "SegmentRelationshipEdited": (
        *_VISIT,
        *_SEARCH,
        *_split("SegmentId SendingId RelationshipOperatorAction Result"),
    ),
    "SegmentSubscribed": _SEGMENT,
    "SegmentUnsubscribed": _SEGMENT,
    "SplitterActivityContactProcessed": (*_JOURNEY, "NextActivityId"),
    "SurveyResponse": _split("SurveyId Score"),
    "TriggerActivityContactProcessed": (*_JOURNEY, "Path"),
    "TriggerCrmWorkflowActivityContactProcessed": _JOURNEY,
    "WebsiteClicked": (*_WEBSITE, *_split("Link LinkFriendlyName")),
    "WebsiteVisited": (*_WEBSITE, "MessageId"),
}

TYPES = tuple(FIELDS)

#: types whose tables in the model lack interactionType and organizationId
BARE = frozenset(name for name in TYPES if name.startswith(("Form", "Segment")))

#: the one type without a journey
NO_JOURNEY = frozenset({"SegmentRelationshipEdited"})

#: fields that hold a GUID. PageId is a GUID in some tables and text in others, so it is not among them.
GUIDS = frozenset(
    name
    for names in FIELDS.values()
    for name in names
    if name.endswith("Id") and name not in {"PageId", "BrowserId", "OperatingSystemId", "EventCheckinId"}
)
