"""What Airflow reads about this provider without importing any of its hooks. Data only."""

from __future__ import annotations

from typing import Any

from airflow_provider_interactions import __version__

PACKAGE = "airflow-provider-interactions"

OPERATORS = [
    f"airflow_provider_interactions.{name}"
    for name in (
        *("operators.contacts", "operators.extract", "operators.publish", "operators.normalize", "operators.load"),
        *("operators.pipeline", "operators.person", "observability.assets"),
    )
]


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    # Every field may be left empty: the form then stores null, which the hooks take as not given.
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _choice(label: str, description: str, *words: str) -> dict[str, Any]:
    return _text(label, description, enum=list(words))


def _switch(label: str, description: str, *, default: bool | None = None) -> dict[str, Any]:
    schema = {"type": ["boolean", "null"], "default": default}
    return {"label": label, "description": description, "schema": schema}


def _number(label: str, description: str, kind: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


#: What every vendor's connection understands.
COMMON = {
    "account": _text("Account", "Names the organisation in paths and in the table. Default: the host."),
    "verify_tls": _switch("Verify TLS", "Whether certificates are checked. Leave on.", default=True),
    "allow_http": _switch("Allow http://", "For a sandbox only: credentials would travel unencrypted."),
    "concurrency": _number(
        "Requests in flight", "At once, from one task. Default: what suits the vendor.", "integer", minimum=1
    ),
    "requests_per_minute": _number(
        "Requests per minute",
        "From one task, where your contract has a limit of its own. Default: what the vendor documents, if it does.",
        "number",
        exclusiveMinimum=0,
    ),
}


def _type(  # one call is one form
    name: str, title: str, hook: str, labels: dict[str, str], placeholders: dict[str, str], **fields: dict[str, Any]
) -> dict[str, Any]:
    return {
        "connection-type": name,
        "hook-class-name": f"airflow_provider_interactions.hooks.{name}.{hook}",
        "hook-name": title,
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": labels,
            # The port stays visible: Airflow 3.3's Test button fails for a connection whose port is empty.
            "placeholders": {**placeholders, "port": "443"},
        },
        "conn-fields": {**fields, **COMMON},
    }


CONNECTION_TYPES = (
    _type(
        "dynamics_marketing",
        "Dynamics 365 Marketing",
        "DynamicsMarketingHook",
        {"host": "Organisation URL", "login": "Client id", "password": "Client secret"},
        {"host": "https://contoso.crm.dynamics.com", "login": "00000000-0000-0000-0000-000000000000"},
        tenant_id=_text("Tenant id", "The directory's GUID or domain. Needed, except for a managed identity."),
        authority=_text("Authority", "The token host. Default: https://login.microsoftonline.com, the public cloud."),
        scope=_text("Scope", "Default: the organisation URL followed by /.default."),
        api_version=_text("Web API version", "Default: v9.0."),
        credential=_choice(
            "Credential",
            "What proves the app's identity. Default: secret. The others need the package's extra azure.",
            *("secret", "certificate", "managed_identity"),
        ),
        certificate_path=_text(
            "Certificate file", "PEM or PKCS#12, on every worker; its password goes into Client secret."
        ),
    ),
    _type(
        "which50",
        "Which50",
        "Which50Hook",
        {"host": "API URL", "login": "Login or client id", "password": "Token, password or secret"},
        {"host": "https://example.com/Which50API"},
        auth=_choice(
            "Authentication",
            "How calls are signed. Unverified: the vendor publishes no scheme, so ask it for yours. Default: bearer.",
            *("bearer", "header", "basic", "oauth2"),
        ),
        header_name=_text("Header name", "For header: the header that holds the password. Default: Authorization."),
        token_url=_text("Token URL", "For oauth2: a full URL, or a path below the API URL."),
        grant=_choice("Grant", "For oauth2. Default: client_credentials.", "client_credentials", "password"),
        scope=_text("Scope", "For oauth2, where the token host wants one."),
        response_format=_choice("Response format", "What to ask for. Default: json.", "json", "xml"),
    ),
    _type(
        "luminate_online",
        "Luminate Online",
        "LuminateOnlineHook",
        {"host": "Site URL", "login": "API login", "password": "API password"},
        {"host": "https://secure2.convio.net/organization/site"},
        api_key=_text(
            "API key", "The site's CONVIO_API_KEY, from its Open API configuration. Needed.", format="password"
        ),
        response_format=_choice(
            "Response format", "What to ask for; both give the same rows. Default: xml.", "xml", "json"
        ),
    ),
    _type(
        "capillary",
        "Capillary",
        "CapillaryHook",
        {"host": "Cluster URL", "login": "Till or client key", "password": "Password or client secret"},
        {"host": "https://eu.api.capillarytech.com"},
        auth=_choice(
            "Authentication", "basic: till and password. oauth: key and secret. Default: basic.", "basic", "oauth"
        ),
        password_is_md5=_switch("Password is MD5", "The password is already the 32 hexadecimal digits of its MD5."),
        token_header=_text("Token header", "For oauth: the token's header. Default: X-CAP-API-OAUTH-TOKEN."),
        api=_choice("API", "v2 sends the whole history at once, v1.1 page by page. Default: v2.", "v2", "v1.1"),
        time_zone=_text("Time zone", "The zone of times that name none, for example Asia/Kolkata. Default: UTC."),
    ),
)

#: The vendors' own documentation.
INTEGRATIONS = {
    "Dynamics 365 Marketing": "https://learn.microsoft.com/dynamics365/customer-insights/",
    "Which50": None,
    "Luminate Online": "https://open.convio.com/api/",
    "Capillary": "https://docs.capillarytech.com/",
}

LAKE = {
    "description": "Where the lake is: any object-storage URL that Airflow understands, or a local path.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@my-bucket/interactions",
    "default": "",
}

BROWSE = {
    "description": "Where people open the lake's files in a browser; {path} stands for the path in the lake.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "https://minio.example.com/browser/my-bucket/interactions/{path}",
    "default": "",
}

POOLS = {
    "description": (
        "Whether pipelines run the tasks that ask a vendor in the Airflow pool named like the connection, for example "
        "which50_default. Make the pools first: Airflow runs no task whose pool is not there."
    ),
    "version_added": "0.1.0",
    "type": "boolean",
    "example": "True",
    "default": "False",
}


#: What tasks link to, by the names of the links' classes without their ending.
LINKS = ("Manifest", "Parquet", "Lines")


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as the entry point ``apache_airflow_provider`` hands it to Airflow."""
    return {
        "package-name": PACKAGE,
        "name": "Interactions",
        "description": "Contact interactions from marketing and CRM systems into a lake and a warehouse.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": name, "tags": ["service"], **({"external-doc-url": url} if url else {})}
            for name, url in INTEGRATIONS.items()
        ],
        "hooks": [
            {"integration-name": entry["hook-name"], "python-modules": [_module(entry)]} for entry in CONNECTION_TYPES
        ],
        "operators": [{"integration-name": name, "python-modules": OPERATORS} for name in INTEGRATIONS],
        "connection-types": list(CONNECTION_TYPES),
        "extra-links": [f"airflow_provider_interactions.observability.links.{name}Link" for name in LINKS],
        "config": {
            "interactions": {
                "description": "Contact interactions: where they are kept.",
                "options": {"lake": LAKE, "browse": BROWSE, "pools": POOLS},
            }
        },
    }


def _module(entry: dict[str, Any]) -> str:
    return str(entry["hook-class-name"]).rpartition(".")[0]
