"""What Luminate Online is called, and the form of its connection."""

from airflow_provider_interactions.about import About, ask_choice, ask_text

ABOUT = About(
    name="luminate_online",
    title="Luminate Online",
    labels={"host": "Site URL", "login": "API login", "password": "API password"},
    placeholders={"host": "https://secure2.convio.net/organization/site"},
    form={
        "api_key": ask_text(
            "API key", "The site's CONVIO_API_KEY, from its Open API configuration. Needed.", format="password"
        ),
        "response_format": ask_choice(
            "Response format", "What to ask for; both give the same rows. Default: xml.", "xml", "json"
        ),
    },
    person_kinds=("cons_id", "member_id", "email"),
    bulk_kind="everyone",
    # No types: here they are numbers of the site's own.
    url="https://open.convio.com/api/",
    instead="Interactions of public custom types can be read for everyone at once, with the kind everyone.",
    personal={
        "subject": "text of the interaction",
        "attributes.note.subject": "text of the note",
        "attributes.note.text": "text of the note",
        "attributes.consId": "identifier",
        "attributes.createdBy": "identifier",
        "attributes.note.consId": "identifier",
        "attributes.note.createdBy": "identifier",
        "attributes.note.modifiedBy": "identifier",
    },
)
