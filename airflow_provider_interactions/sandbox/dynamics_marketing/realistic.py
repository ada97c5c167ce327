"""The values of Dynamics' fields in a realistic world."""

from __future__ import annotations

from airflow_provider_interactions.sandbox import museum

#: the types that occur, the more often the more often they stand here
TYPES = (
    *("EmailSent",) * 6,
    *("EmailDelivered",) * 6,
    *("EmailOpened",) * 4,
    *("EmailClicked",) * 2,
    *("EmailHardBounced", "EmailSoftBounced", "EmailSubscriptionSubmit", "EventRegistration", "EventCheckIn"),
    *("FormVisited", "FormSubmitted", "RedirectLinkClicked", "SegmentSubscribed", "SurveyResponse", "WebsiteVisited"),
)
_PLACE = ("CountryIsoCode", "State", "City", "PostalCode")
_DEVICE = (
    *("BrowserId", "BrowserVersion", "OperatingSystemId", "OperatingSystemVersion"),
    *("DeviceType", "DeviceBrand", "DeviceModel"),
)
_LINKS = frozenset({"Link", "OriginalLink", "OriginalUrl", "PageAddress", "ReferrerUri", "BlacklistedLink"})
_TEXTS: dict[str, tuple[str, ...]] = {
    "UsageType": ("CustomerJourney",),
    "EmailDomain": ("example.org",),
    "VisitorAnonymousStatus": ("Known",),
    "VisitorReturningStatus": ("New", "Returning"),
    "SearchPhrase": ("ship museum", "family workshops", "museum tickets"),
    "SearchEngineName": ("bing", "google"),
    "VisitDuration": ("00:00:41", "00:03:12", "00:07:55"),
    "BounceCategory": ("Mailbox full", "Unknown user"),
    "RemoteBounce": ("550 5.1.1 user unknown", "452 4.2.2 mailbox full"),
    "BlockedReason": ("DoNotEmail",),
    "Result": ("Success",),
    "FormName": museum.TITLES["WebForm"],
    "LinkFriendlyName": museum.TITLES["LandingPage"],
    "EntityType": ("contact",),
    "Path": ("yes", "no"),
    "PageId": museum.LINKS,
    "ContactMatchingResult": ("Matched",),
    "LeadMatchingResult": ("NotMatched",),
    "ContactFailureMessage": ("",),
    "LeadFailureMessage": ("",),
    "RelationshipOperatorAction": ("Add", "Remove"),
    "ResponseType": ("Reply",),
    "TriggerKeyword": ("TICKET", "STOP"),
}


def choose_text(name: str, home: int, drawn: int) -> str:
    """A field's text. ``home`` is the contact's own number: it decides the place and the device."""
    if name in _PLACE:
        return museum.PLACES[home % len(museum.PLACES)][_PLACE.index(name)]
    if name in _DEVICE:
        return museum.DEVICES[home // len(museum.PLACES) % len(museum.DEVICES)][_DEVICE.index(name)]
    if name in _LINKS:
        return museum.LINKS[drawn % len(museum.LINKS)]
    texts = _TEXTS.get(name)
    return texts[drawn % len(texts)] if texts else str(1000 + drawn % 9000)
