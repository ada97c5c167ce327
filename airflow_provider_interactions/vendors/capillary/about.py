"""What Capillary is called, and the form of its connection."""

from airflow_provider_interactions.about import About, ask_choice, ask_switch, ask_text
from airflow_provider_interactions.vendors.capillary.vocabulary import CHANNELS

ABOUT = About(
    name="capillary",
    title="Capillary",
    labels={"host": "Cluster URL", "login": "Till or client key", "password": "Password or client secret"},
    placeholders={"host": "https://eu.api.capillarytech.com"},
    form={
        "auth": ask_choice(
            "Authentication", "basic: till and password. oauth: key and secret. Default: basic.", "basic", "oauth"
        ),
        "password_is_md5": ask_switch(
            "Password is MD5", "The password is already the 32 hexadecimal digits of its MD5."
        ),
        "token_header": ask_text("Token header", "For oauth: the token's header. Default: X-CAP-API-OAUTH-TOKEN."),
        "api": ask_choice("API", "v2 sends the whole history at once, v1.1 page by page. Default: v2.", "v2", "v1.1"),
        "time_zone": ask_text("Time zone", "The zone of times that name none, for example Asia/Kolkata. Default: UTC."),
    },
    person_kinds=("mobile", "email", "external_id"),
    types=tuple(CHANNELS),
    url="https://docs.capillarytech.com/",
    instead='The vendor\'s data export ("Messages") holds the same messages for all customers.',
    personal={
        "subject": "text of the message",  # for SMS and Viber all of it
        "attributes.receiver": "e-mail address or phone number",
        "attributes.reciever": "e-mail address or phone number",  # the vendor's other spelling
        "attributes.userId": "identifier",
    },
    policy={"subject": "mask_codes"},  # messages hold one-time passwords
)
