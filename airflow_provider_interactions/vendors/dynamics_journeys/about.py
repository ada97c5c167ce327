"""What Customer Insights - Journeys is called, the form of its connection, and where personal data is."""

from airflow_provider_interactions.about import About, ask_choice, ask_text
from airflow_provider_interactions.vendors.dynamics_journeys.vocabulary import TYPES

_ADDRESS = "address of a page, which may hold an identifier"
_IDENTIFIER = "identifier"
_NAME = "name"
_PHONE = "telephone number"
_TEXT = "text that the person wrote"

ABOUT = About(
    name="dynamics_journeys",
    title="Dynamics 365 Customer Insights - Journeys",
    labels={"host": "Organisation URL", "login": "Client id", "password": "Client secret"},
    placeholders={"host": "https://contoso.crm.dynamics.com", "login": "00000000-0000-0000-0000-000000000000"},
    form={
        "tenant_id": ask_text("Tenant id", "The directory's GUID or domain. Needed, except for an identity of a host."),
        "workspace": ask_text(
            "Fabric workspace", "GUID or name. With a lakehouse, tables are read from OneLake; without, from Dataverse."
        ),
        "lakehouse": ask_text("Fabric lakehouse", "GUID or name, as the workspace: both GUIDs, or both names."),
        "schema": ask_text("Lakehouse schema", "Only for a lakehouse with schemas, for example dbo."),
        "onelake_endpoint": ask_text(
            "OneLake endpoint", "Default: https://onelake.dfs.fabric.microsoft.com. A region has its own."
        ),
        "authority": ask_text(
            "Authority", "The token host. Default: https://login.microsoftonline.com, the public cloud."
        ),
        "scope": ask_text("Scope", "Default: the organisation URL followed by /.default. Only for Dataverse."),
        "api_version": ask_text("Web API version", "Default: v9.2. Only for Dataverse."),
        "credential": ask_choice(
            "Credential",
            "What proves the app's identity. Default: secret. The others need the package's extra azure.",
            *("secret", "certificate", "managed_identity", "workload_identity"),
        ),
        "certificate_path": ask_text(
            "Certificate file", "PEM or PKCS#12, on every worker; its password goes into Client secret."
        ),
        "storage_endpoint": ask_text("Storage endpoint", "Only for tests: in place of Dataverse's storage."),
    },
    person_kinds=("contact", "lead", "profile", "visitor", "entity"),
    bulk_kind="everyone",
    types=TYPES,
    url="https://learn.microsoft.com/dynamics365/customer-insights/journeys/fabric-integration",
    # Columns of the Common Data Model (2025-01-10). The kinds follow from their names and descriptions.
    personal={
        "attributes.EmailAddressUsed": "e-mail address",
        "attributes.EmailAddress": "e-mail address",
        "attributes.Recipient": "e-mail address, telephone number or the like",
        "attributes.Sender": "e-mail address, telephone number or the like",
        "attributes.RecipientPhoneNumber": _PHONE,
        "attributes.SenderPhoneNumber": _PHONE,
        "attributes.UserContactPoint": _PHONE,
        "attributes.OrganizationContactPoint": _PHONE,
        "attributes.ContactFirstName": _NAME,
        "attributes.ContactLastName": _NAME,
        "attributes.LeadFirstName": _NAME,
        "attributes.LeadLastName": _NAME,
        "attributes.AudienceName": _NAME,
        "attributes.IpAddress": "IP address",
        "attributes.UserAgent": "browser and device",
        "attributes.DeviceId": "device",
        "attributes.City": "place",
        "attributes.PostalCode": "place",
        "attributes.State": "place",
        # The contact of a row has a column of its own; these may repeat it, or name another person.
        "attributes.ContactId": _IDENTIFIER,
        "attributes.LeadId": _IDENTIFIER,
        "attributes.ProfileId": _IDENTIFIER,
        "attributes.EntityId": _IDENTIFIER,
        "attributes.DeletedContactId": _IDENTIFIER,
        "attributes.DeletedEntityId": _IDENTIFIER,
        "attributes.SecondaryRecipientProfileId": _IDENTIFIER,
        "attributes.VisitorId": _IDENTIFIER,
        "attributes.SourceEntityId": _IDENTIFIER,
        "attributes.RecordId": _IDENTIFIER,
        "attributes.Text": _TEXT,
        "attributes.Message": _TEXT,
        "attributes.SearchPhrase": _TEXT,
        "attributes.TriggerKeyword": _TEXT,
        "attributes.FormSubmissionFields": "what the person wrote into a form",
        "attributes.FormSubmissionFieldsSnapshot": "what the person wrote into a form",
        "attributes.SubmittedValues": "what the person wrote into a form",
        "attributes.ContactFailureMessage": "text about the person's form",
        "attributes.LeadFailureMessage": "text about the person's form",
        "attributes.Response": "answer to a survey",
        "attributes.QuestionResponse": "answer to a survey",
        "attributes.SurveyQuestionResponseName": "answer to a survey",
        "attributes.SurveyResponseName": "answer to a survey",
        "attributes.SurveyInvite": "invitation to a survey, which may hold an identifier",
        "attributes.ConfirmationValue": "answer to a question about consent",
        "attributes.RequestObjectValue": "what a question about consent is about",
        "attributes.RemoteBounce": "text of a mail server, which may quote the address",
        "attributes.BounceReason": "text of a mail server, which may quote the address",
        "attributes.Details": "text of a mail server, which may quote the address",
        "attributes.InternalMarketingProperties": "any field of the sender",
        "attributes.Link": _ADDRESS,
        "attributes.OriginalLink": _ADDRESS,
        "attributes.OriginalUrl": _ADDRESS,
        "attributes.OriginalContentLink": _ADDRESS,
        "attributes.TargetUrl": _ADDRESS,
        "attributes.BlacklistedLink": _ADDRESS,
        "attributes.PageAddress": _ADDRESS,
        "attributes.PageUrl": _ADDRESS,
        "attributes.ReferrerUri": _ADDRESS,
        "attributes.FormsProSurveyLinkUrl": _ADDRESS,
    },
)
