"""The 136 published interaction types, each with its canonical channel and action.

Source: the Common Data Model's pages "… in CustomerInsightsJourneys" (MicrosoftDocs/common-data-model-and-service,
fb44b3387, 2025-01-10), whose columns are in ``published.json`` (docs/journeys_types.py). The pages describe no type,
so channel and action follow from the name; where ``dynamics_marketing`` has the type, too, they are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

#: What happened between the organisation and a person.
HISTORY: dict[str, tuple[str, str]] = {
    "BotCustomLinkClicked": ("other", "bot_clicked"),
    "BotEmailLinkClicked": ("email", "bot_clicked"),
    "BotPushNotificationLinkClicked": ("push", "bot_clicked"),
    "BotSmsLinkClicked": ("sms", "bot_clicked"),
    "ConfirmableFormSubmitted": ("form", "submitted"),
    "ConfirmationRequest": ("email", "sent"),
    "ConfirmationResponse": ("email", "responded"),
    "CustomBounced": ("other", "bounced"),
    "CustomChannelResponse": ("other", "responded"),
    "CustomDelivered": ("other", "delivered"),
    "CustomLinkClicked": ("other", "clicked"),
    "CustomNotSent": ("other", "blocked"),
    "CustomReceived": ("other", "responded"),
    "CustomSent": ("other", "sent"),
    "CustomerVoiceQuestionResponseSubmitted": ("survey", "responded"),
    "CustomerVoiceSuveyResponseSubmitted": ("survey", "responded"),
    "DomainNotOwnedByAnyone": ("email", "blocked"),
    "DomainOwnedByDifferentOrganization": ("email", "blocked"),
    "EmailAddressOptedOut": ("email", "blocked"),
    "EmailBlockBounced": ("email", "bounced"),
    "EmailBlocked": ("email", "blocked"),
    "EmailBlockedByActivityExpiration": ("email", "blocked"),
    "EmailBlockedByUnsubscription": ("email", "blocked"),
    "EmailBlockedByUser": ("email", "blocked"),
    "EmailBlockedConsentNotGiven": ("email", "blocked"),
    "EmailBlockedContactabilityDoNotEmail": ("email", "blocked"),
    "EmailBlockedDomainDeliverability": ("email", "blocked"),
    "EmailBlockedDuplicateAddress": ("email", "blocked"),
    "EmailBlockedExternalConsentFailure": ("email", "blocked"),
    "EmailBlockedFrequencyCapReached": ("email", "blocked"),
    "EmailBlockedInactiveContact": ("email", "blocked"),
    "EmailBlockedInvalidRecipientAddress": ("email", "blocked"),
    "EmailBlockedInvalidReplyToAddress": ("email", "blocked"),
    "EmailBlockedInvalidSenderAddress": ("email", "blocked"),
    "EmailBlockedMissingContactData": ("email", "blocked"),
    "EmailBlockedMissingRelatedData": ("email", "blocked"),
    "EmailBlockedOtherReason": ("email", "blocked"),
    "EmailBlockedSuspension": ("email", "blocked"),
    "EmailBlockedTrialQuotaExceeded": ("email", "blocked"),
    "EmailBounceCacheBlocked": ("email", "blocked"),
    "EmailBounced": ("email", "bounced"),
    "EmailCcSent": ("email", "sent"),
    "EmailClicked": ("email", "clicked"),
    "EmailContainsBlacklistedLinks": ("email", "blocked"),
    "EmailDelivered": ("email", "delivered"),
    "EmailFeedbackLoop": ("email", "responded"),
    "EmailForwarded": ("email", "forwarded"),
    "EmailHardBounced": ("email", "bounced"),
    "EmailHardRemoteBounced": ("email", "bounced"),
    "EmailOpened": ("email", "opened"),
    "EmailSendingFailed": ("email", "failed"),
    "EmailSent": ("email", "sent"),
    "EmailSoftBounced": ("email", "bounced"),
    "EmailSoftRemoteBounced": ("email", "bounced"),
    "EmailSubscriptionSubmit": ("email", "submitted"),
    "EventCheckIn": ("event", "checked_in"),
    "EventRegistration": ("event", "registered"),
    "EventRegistrationCanceled": ("event", "cancelled"),
    "FormSubmissionConfirmed": ("form", "responded"),
    "FormSubmissionExpired": ("form", "failed"),
    "FormSubmitted": ("form", "submitted"),
    "FormVisited": ("form", "visited"),
    "FormsProSurveyOpened": ("survey", "opened"),
    "FormsProSurveyQuestionAnswered": ("survey", "responded"),
    "FormsProSurveySubmitted": ("survey", "responded"),
    "InvalidRecipientAddress": ("email", "failed"),
    "InvalidReplyToAddress": ("email", "failed"),
    "InvalidSenderAddress": ("email", "failed"),
    "LinkedInFormSubmission": ("form", "submitted"),
    "MissingDataAccessPrivileges": ("email", "failed"),
    "OutOfEmailCredits": ("email", "failed"),
    "PushNotificationLinkClicked": ("push", "clicked"),
    "PushNotificationNotSent": ("push", "blocked"),
    "PushNotificationOpened": ("push", "opened"),
    "PushNotificationSent": ("push", "sent"),
    "RedirectLinkClicked": ("web", "clicked"),
    "SegmentSubscribed": ("segment", "subscribed"),
    "SegmentUnsubscribed": ("segment", "unsubscribed"),
    "SessionRegistrationCanceled": ("event", "cancelled"),
    "SmsBounced": ("sms", "bounced"),
    "SmsDelivered": ("sms", "delivered"),
    "SmsLinkClicked": ("sms", "clicked"),
    "SmsNotSent": ("sms", "blocked"),
    "SmsReceived": ("sms", "responded"),
    "SmsSent": ("sms", "sent"),
    "SurveyResponse": ("survey", "responded"),
    "WebsiteClicked": ("web", "clicked"),
    "WebsiteVisited": ("web", "visited"),
}

#: What the system did by itself: steps of journeys, scores, sizes of segments, deletions. Read only if asked for.
BOOKKEEPING: dict[str, tuple[str, str]] = {
    "ActionEventDropoff": ("journey", "processed"),
    "ActionEventInflow": ("journey", "processed"),
    "ActionEventPostponed": ("journey", "processed"),
    "ActionEventProcessed": ("journey", "processed"),
    "ActionEventResumed": ("journey", "processed"),
    "ActionEventSystemFailure": ("journey", "failed"),
    "ActivityContactBlocked": ("journey", "blocked"),
    "ActivityContactBlockedBusinessUnit": ("journey", "blocked"),
    "ActivityContactBlockedConsent": ("journey", "blocked"),
    "ActivityContactBlockedExternalConsent": ("journey", "blocked"),
    "ActivityContactBlockedSuppression": ("journey", "blocked"),
    "ActivityContactDispatched": ("journey", "processed"),
    "ActivityContactExpired": ("journey", "failed"),
    "ActivityContactProcessingFailed": ("journey", "failed"),
    "ContactDeleted": ("crm", "deleted"),
    "ConversionEventTouchPoint": ("journey", "processed"),
    "CreateCrmActivityContactProcessed": ("crm", "processed"),
    "CreateCustomChannelActivityContactProcessed": ("other", "processed"),
    "CreateLeadActivityContactProcessed": ("crm", "processed"),
    "CreateRecord": ("crm", "processed"),
    "CustomerJourneyContactRecordUpdated": ("journey", "processed"),
    "CustomerJourneyIterationStarted": ("journey", "processed"),
    "EntityDeleted": ("crm", "deleted"),
    "ExperimentationGoal": ("journey", "processed"),
    "GoalEvent": ("journey", "processed"),
    "JourneyEventCancelledByActionFailure": ("journey", "cancelled"),
    "JourneyEventCancelledByExitEvent": ("journey", "cancelled"),
    "JourneyEventCancelledByJourneyStopped": ("journey", "cancelled"),
    "JourneyEventCancelledBySupressionSegment": ("journey", "cancelled"),
    "JourneyEventCompleted": ("journey", "processed"),
    "JourneyEventEntryProcessed": ("journey", "processed"),
    "JourneyEventEntrySystemFailure": ("journey", "failed"),
    "JourneyEventExited": ("journey", "processed"),
    "JourneyEventInflow": ("journey", "processed"),
    "JourneyEventInprogress": ("journey", "processed"),
    "JourneyEventPreEntryDropoff": ("journey", "processed"),
    "JourneyEventProfileResolvedWithRetry": ("journey", "processed"),
    "JourneyEventProfileUnresolved": ("journey", "failed"),
    "JourneyEventUndefined": ("journey", "processed"),
    "LeadScoreBoost": ("crm", "processed"),
    "OptimizationFeedback": ("journey", "processed"),
    "PassThroughActivityContactProcessed": ("journey", "processed"),
    "SchedulerActivityContactProcessed": ("journey", "processed"),
    "SegmentMembersCountChanged": ("segment", "processed"),
    "SegmentRelationshipEdited": ("segment", "processed"),
    "SplitterActivityContactProcessed": ("journey", "processed"),
    "TriggerActivityContactProcessed": ("journey", "processed"),
    "TriggerCrmWorkflowActivityContactProcessed": ("crm", "processed"),
}

KINDS: dict[str, tuple[str, str]] = dict(sorted({**HISTORY, **BOOKKEEPING}.items()))

TYPES: tuple[str, ...] = tuple(KINDS)

#: Published types without a column for a person. Their rows are about the organisation.
PERSONLESS = frozenset(
    {
        "CustomerVoiceQuestionResponseSubmitted",
        "CustomerVoiceSuveyResponseSubmitted",
        "OptimizationFeedback",
        "SegmentMembersCountChanged",
    }
)

#: Types that a run reads unless it names others: a contact's history.
DEFAULT_TYPES: tuple[str, ...] = tuple(name for name in HISTORY if name not in PERSONLESS)

#: Names that the old action and older data models have for the same.
OLDER: dict[str, str] = {
    "ContactCheckedIntoEvent": "EventCheckIn",
    "ContactRegisteredToEvent": "EventRegistration",
    "EmailContainsBlockListedLinks": "EmailContainsBlacklistedLinks",
}

#: Types whose channel is in the column ChannelType, and what its words mean (the page CustomSent: custom, sms, push,
#: email). Any other word leaves the type's own channel.
CHANNEL_TYPED = frozenset(
    {
        *("BotCustomLinkClicked", "ConfirmationRequest", "CustomBounced", "CustomDelivered", "CustomLinkClicked"),
        *("CustomNotSent", "CustomReceived", "CustomSent"),
    }
)
CHANNEL_TYPES = {"custom": "other", "email": "email", "push": "push", "sms": "sms"}

#: The channel of types newer than the list, by the beginning of the name. The first that fits counts.
_PREFIXES = {
    "email": "email",
    "sms": "sms",
    "push": "push",
    "whatsapp": "whatsapp",
    "voice": "voice",
    "formspro": "survey",
    "survey": "survey",
    "customervoice": "survey",
    "customerjourney": "journey",
    "form": "form",
    "event": "event",
    "session": "event",
    "website": "web",
    "redirect": "web",
    "segment": "segment",
    "journey": "journey",
    "action": "journey",
    "activity": "journey",
}

_BY_LOWER_CASE = {name.lower(): name for name in (*KINDS, *OLDER)}


def spell_type(name: str) -> str:
    """A type in its published spelling; one that is not published stays as it is.

    Folders and tables are seen in lower case, too.
    """
    return _BY_LOWER_CASE.get(name.strip().lower(), name.strip())


def map_type(name: str) -> tuple[str, str]:
    """The canonical channel and action of a type. One that is not published has the channel that its name begins with.

    Its action is ``other``, except for clicks of bots, which must not count as anything that a person did.
    """
    spelled = spell_type(name)
    found = KINDS.get(OLDER.get(spelled, spelled))
    return found or _guess_kind(spelled.lower())


def _guess_kind(lower: str) -> tuple[str, str]:
    bare = lower.removeprefix("bot")
    channel = next((channel for prefix, channel in _PREFIXES.items() if bare.startswith(prefix)), "other")
    return channel, "bot_clicked" if bare != lower and bare.endswith("clicked") else "other"


@cache
def read_published() -> Mapping[str, Mapping[str, str]]:
    """The published columns of each type, with their types: string, guid, int32, int64, dateTime, boolean, double."""
    text = resources.files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    return {
        name: {column: kind for kind, columns in groups.items() for column in columns.split()}
        for name, groups in json.loads(text).items()
    }
