"""Which tables a realistic world's rows are in, and the values of their columns."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_interactions.sandbox import museum
from airflow_provider_interactions.sandbox.dynamics_marketing import realistic

#: the tables that occur, the more often the more often they stand here
TYPES = (
    *("EmailSent",) * 6,
    *("EmailDelivered",) * 6,
    *("EmailOpened",) * 4,
    *("EmailClicked",) * 2,
    *("EmailHardBounced", "EmailSoftBounced", "BotEmailLinkClicked", "EmailBlockedConsentNotGiven"),
    *("SmsSent", "SmsDelivered", "SmsLinkClicked", "CustomSent", "CustomDelivered", "PushNotificationSent"),
    *("EventRegistration", "EventCheckIn", "FormVisited", "FormSubmitted", "SurveyResponse", "WebsiteVisited"),
)
#: columns about the link of a row: its addresses and its names
OF_LINK = frozenset(
    {
        *("Link", "OriginalLink", "OriginalUrl", "OriginalContentLink", "TargetUrl"),
        *("LinkName", "LinkText", "LinkFriendlyName"),
    }
)
#: columns without a value
_EMPTY = frozenset(
    {
        *("Details", "Category", "Reason", "LeadFirstName", "LeadLastName"),
        *("FormSubmissionFields", "FormSubmissionFieldsSnapshot", "SubmittedValues"),
    }
)
_TEXTS: dict[str, tuple[str, ...]] = {
    "BotDetectionReason": ("Clicked within a second",),
    "BounceReason": ("Mailbox full", "Unknown user"),
    "BounceType": ("Hard", "Soft"),
    "ChannelType": ("WhatsApp", "Viber"),
    "Country": ("IE", "GB"),
    "FormSubmissionResult": ("Success",),
    "FormSubmissionType": ("Page",),
    "IpAddress": ("192.0.2.17", "198.51.100.4", "203.0.113.80"),
    "JourneyVersion": ("1", "2", "3"),
    "LinkName": museum.TITLES["LandingPage"],
    "LinkText": museum.TITLES["LandingPage"],
    "MessageTemplateVersion": ("1", "2", "3"),
    "MessageVariationIndexes": ("0", "1"),
    "MessageVariationName": ("A", "B"),
    "Platform": ("Android", "IOS"),
    "Sender": ("Museum of Ships",),
    "SenderPhoneNumber": ("+999000000001",),
    "SourceEntityName": ("contact",),
    "Text": ("STOP", "Yes please"),
    "UserAgent": ("LinkScanner/2.1",),
    "WasRemoteBounced": ("False",),
}
#: where a device's parts are in `museum.DEVICES`
_PARTS = {"BrowserId": 0, "OperatingSystemId": 2, "DeviceTypeId": 4}


def choose_text(name: str, home: int, drawn: int) -> str | None:
    """A column's text, None where it has no value. ``home`` is the contact's own number."""
    if name in _EMPTY:
        return None
    texts = _TEXTS.get(name)
    return texts[drawn % len(texts)] if texts else realistic.choose_text(name, home, drawn)


def choose_client(known: Mapping[str, str], name: str, home: int) -> str:
    """The GUID of the contact's own browser, operating system, device or e-mail program, of those that are known."""
    if name not in _PARTS:
        return list(known)[home % len(known)]
    device = museum.DEVICES[home // len(museum.PLACES) % len(museum.DEVICES)]
    return next(guid for guid, title in known.items() if title.lower() == device[_PARTS[name]].lower())
