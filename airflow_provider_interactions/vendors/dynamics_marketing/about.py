"""What Dynamics 365 Marketing is called, and the form of its connection."""

from airflow_provider_interactions.about import About, ask_choice, ask_text
from airflow_provider_interactions.vendors.dynamics_marketing.vocabulary import TYPES

ABOUT = About(
    name="dynamics_marketing",
    title="Dynamics 365 Marketing",
    labels={"host": "Organisation URL", "login": "Client id", "password": "Client secret"},
    placeholders={"host": "https://contoso.crm.dynamics.com", "login": "00000000-0000-0000-0000-000000000000"},
    form={
        "tenant_id": ask_text("Tenant id", "The directory's GUID or domain. Needed, except for a managed identity."),
        "authority": ask_text(
            "Authority", "The token host. Default: https://login.microsoftonline.com, the public cloud."
        ),
        "scope": ask_text("Scope", "Default: the organisation URL followed by /.default."),
        "api_version": ask_text("Web API version", "Default: v9.0."),
        "credential": ask_choice(
            "Credential",
            "What proves the app's identity. Default: secret. The others need the package's extra azure.",
            *("secret", "certificate", "managed_identity", "workload_identity"),
        ),
        "certificate_path": ask_text(
            "Certificate file", "PEM or PKCS#12, on every worker; its password goes into Client secret."
        ),
    },
    types=TYPES,
    url="https://learn.microsoft.com/dynamics365/customer-insights/",
    instead=(
        "The successor, Customer Insights - Journeys, keeps this history in tables, which the vendor dynamics_journeys "
        "reads for all contacts at once."
    ),
    # Fields of the Common Data Model (2025-01-10). That the action spells them so is an inference.
    personal={
        "attributes.EmailAddressUsed": "e-mail address",
        "attributes.RemoteBounce": "text of a mail server, which may quote the address",
        "attributes.ContactId": "identifier",
        "attributes.LeadId": "identifier",
        "attributes.SecondaryRecipientProfileId": "identifier",
        "attributes.VisitorId": "identifier",
        "attributes.SearchPhrase": "text that the person wrote",
        "attributes.TriggerKeyword": "text that the person wrote",
        "attributes.ContactFailureMessage": "text about the person's form",
        "attributes.LeadFailureMessage": "text about the person's form",
        "attributes.City": "place",
        "attributes.PostalCode": "place",
        "attributes.Link": "address of a page, which may hold an identifier",
        "attributes.OriginalLink": "address of a page, which may hold an identifier",
        "attributes.OriginalUrl": "address of a page, which may hold an identifier",
        "attributes.PageAddress": "address of a page, which may hold an identifier",
        "attributes.ReferrerUri": "address of a page, which may hold an identifier",
    },
)
