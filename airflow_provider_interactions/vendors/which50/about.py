"""What Which50 is called, and the form of its connection."""

from airflow_provider_interactions.about import About, ask_choice, ask_text
from airflow_provider_interactions.vendors.which50.vocabulary import KINDS

ABOUT = About(
    name="which50",
    title="Which50",
    labels={"host": "API URL", "login": "Login or client id", "password": "Token, password or secret"},
    placeholders={"host": "https://example.com/Which50API"},
    form={
        "auth": ask_choice(
            "Authentication",
            "How calls are signed. Unverified: the vendor publishes no scheme, so ask it for yours. Default: bearer.",
            *("bearer", "header", "basic", "oauth2"),
        ),
        "header_name": ask_text(
            "Header name", "For header: the header that holds the password. Default: Authorization."
        ),
        "token_url": ask_text("Token URL", "For oauth2: a full URL, or a path below the API URL."),
        "grant": ask_choice("Grant", "For oauth2. Default: client_credentials.", "client_credentials", "password"),
        "scope": ask_text("Scope", "For oauth2, where the token host wants one."),
        "response_format": ask_choice("Response format", "What to ask for. Default: json.", "json", "xml"),
    },
    types=tuple(KINDS),
    instead="The vendor's webhooks send events as they happen. This package does not receive them.",
)
