"""Which tables a realistic world's rows are in."""

from __future__ import annotations

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
