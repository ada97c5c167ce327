"""What Airflow reads about this provider without importing any of its hooks. Data only."""

from __future__ import annotations

from typing import Any

from airflow_provider_interactions import __version__

PACKAGE = "airflow-provider-interactions"

OPERATORS = [f"airflow_provider_interactions.operators.{name}" for name in ("contacts", "extract", "normalize", "load")]

ACCOUNT = {
    "label": "Account",
    "description": "Names the organisation in paths and in the table. Default: the host.",
    "schema": {"type": ["string", "null"]},
}
ALLOW_HTTP = {
    "label": "Allow http://",
    "description": "For a sandbox only: credentials would travel unencrypted.",
    "schema": {"type": ["boolean", "null"], "default": None},
}
VERIFY_TLS = {
    "label": "Verify TLS",
    "description": "Whether certificates are checked. Leave on.",
    "schema": {"type": ["boolean", "null"], "default": True},
}

DYNAMICS_MARKETING: dict[str, Any] = {
    "connection-type": "dynamics_marketing",
    "hook-class-name": "airflow_provider_interactions.hooks.dynamics_marketing.DynamicsMarketingHook",
    "hook-name": "Dynamics 365 Marketing",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {"host": "Organisation URL", "login": "Client id", "password": "Client secret"},
        "placeholders": {
            "host": "https://contoso.crm.dynamics.com",
            "login": "00000000-0000-0000-0000-000000000000",
            # Airflow 3.3's Test button fails for a connection whose port is empty.
            "port": "443",
        },
    },
    "conn-fields": {
        "tenant_id": {
            "label": "Tenant id",
            "description": "The directory's GUID or domain. Needed, except for a managed identity.",
            "schema": {"type": ["string", "null"]},
        },
        "authority": {
            "label": "Authority",
            "description": "The token host. Default: https://login.microsoftonline.com, the public cloud.",
            "schema": {"type": ["string", "null"]},
        },
        "scope": {
            "label": "Scope",
            "description": "Default: the organisation URL followed by /.default.",
            "schema": {"type": ["string", "null"]},
        },
        "api_version": {
            "label": "Web API version",
            "description": "Default: v9.0.",
            "schema": {"type": ["string", "null"]},
        },
        "credential": {
            "label": "Credential",
            "description": "What proves the app's identity. Certificate and managed identity need the extra azure.",
            "schema": {"type": ["string", "null"], "enum": ["secret", "certificate", "managed_identity"]},
        },
        "certificate_path": {
            "label": "Certificate file",
            "description": "PEM or PKCS#12, on every worker; its password goes into Client secret.",
            "schema": {"type": ["string", "null"]},
        },
        "account": ACCOUNT,
        "verify_tls": VERIFY_TLS,
        "allow_http": ALLOW_HTTP,
    },
}

LUMINATE_ONLINE: dict[str, Any] = {
    "connection-type": "luminate_online",
    "hook-class-name": "airflow_provider_interactions.hooks.luminate_online.LuminateOnlineHook",
    "hook-name": "Luminate Online",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {"host": "Site URL", "login": "API login", "password": "API password"},
        "placeholders": {"host": "https://secure2.convio.net/organization/site", "port": "443"},
    },
    "conn-fields": {
        "api_key": {
            "label": "API key",
            "description": "The site's CONVIO_API_KEY, from its Open API configuration. Needed.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "response_format": {
            "label": "Response format",
            "description": "What to ask for; both give the same rows. Default: xml.",
            "schema": {"type": ["string", "null"], "enum": ["xml", "json"]},
        },
        "account": ACCOUNT,
        "verify_tls": VERIFY_TLS,
        "allow_http": ALLOW_HTTP,
    },
}

CONNECTION_TYPES = (DYNAMICS_MARKETING, LUMINATE_ONLINE)

INTEGRATIONS = {
    "Dynamics 365 Marketing": "https://learn.microsoft.com/dynamics365/customer-insights/",
    "Luminate Online": "https://open.convio.com/api/",
}

LAKE = {
    "description": "Where the lake is: any object-storage URL that Airflow understands, or a local path.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@my-bucket/interactions",
    "default": "",
}


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as the entry point ``apache_airflow_provider`` hands it to Airflow."""
    return {
        "package-name": PACKAGE,
        "name": "Interactions",
        "description": "Contact interactions from marketing and CRM systems into a lake and a warehouse.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": name, "external-doc-url": url, "tags": ["service"]}
            for name, url in INTEGRATIONS.items()
        ],
        "hooks": [
            {"integration-name": entry["hook-name"], "python-modules": [_module(entry)]} for entry in CONNECTION_TYPES
        ],
        "operators": [{"integration-name": name, "python-modules": OPERATORS} for name in INTEGRATIONS],
        "connection-types": list(CONNECTION_TYPES),
        "config": {
            "interactions": {
                "description": "Contact interactions: where they are kept.",
                "options": {"lake": LAKE},
            }
        },
    }


def _module(entry: dict[str, Any]) -> str:
    return str(entry["hook-class-name"]).rpartition(".")[0]
