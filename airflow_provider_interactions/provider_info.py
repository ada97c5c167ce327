"""The provider's metadata for Airflow: data only, so that Airflow does not import the hooks."""

from __future__ import annotations

from typing import Any

from airflow_provider_interactions import __version__
from airflow_provider_interactions.about import About, FormField, ask_number, ask_switch, ask_text
from airflow_provider_interactions.vendors import list_abouts

PACKAGE = "airflow-provider-interactions"

#: The module of the hooks.
HOOKS = "airflow_provider_interactions.hooks"

OPERATORS = [
    f"airflow_provider_interactions.{name}"
    for name in (
        *("operators.contacts", "operators.extract", "operators.publish", "operators.normalize", "operators.load"),
        *("operators.pipeline", "operators.person", "operators.everywhere", "operators.erase", "operators.reopen"),
        "observability.assets",
    )
]


#: The form fields of every vendor's connection.
COMMON: dict[str, FormField] = {
    "account": ask_text("Account", "The organisation's name in paths and in the table. Default: the host."),
    "verify_tls": ask_switch("Verify TLS", "Check the server's certificate. Leave this on.", default=True),
    "allow_http": ask_switch("Allow http://", "Only for a sandbox: credentials are sent unencrypted."),
    "concurrency": ask_number(
        "Requests in flight",
        "The most at one time, for one task. Default: chosen for the vendor.",
        "integer",
        minimum=1,
    ),
    "requests_per_minute": ask_number(
        "Requests per minute",
        "The most for one task, if your contract has its own limit. Default: the vendor's documented limit, if any.",
        "number",
        exclusiveMinimum=0,
    ),
    "policy": ask_text(
        "Policy for personal data",
        "What becomes of it in the table: keep, drop, mask or hmac for all known fields, or a policy as JSON. "
        "Default: keep, except for one-time passwords.",
    ),
}


def describe_connection(about: About) -> dict[str, Any]:
    """The entry for a vendor in Airflow's connection types."""
    return {
        "connection-type": about.name,
        "hook-class-name": f"{HOOKS}.{about.hook}",
        "hook-name": about.title,
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            # The port stays visible: Airflow 3.3's Test button says "Bad Request" of a connection whose port is empty.
            "relabeling": {**about.labels, "port": "Port (443; Airflow 3.3 cannot test without it)"},
            "placeholders": {**about.placeholders, "port": "443"},
        },
        "conn-fields": {**about.form, **COMMON},
    }


LAKE = {
    "description": "Address of the lake: any object-storage URL that Airflow supports, or a local path.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@my-bucket/interactions",
    "default": "",
}

IDENTITIES = {
    "description": (
        "Address of the map of identities, a Parquet or CSV file with the columns person_id, vendor, account, kind and "
        "identifier. A request for one person finds the person's identifiers in it."
    ),
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@my-bucket/identities.parquet",
    "default": "",
}

BROWSE = {
    "description": "Web address of the lake's files, for links in the UI. {path} stands for the path in the lake.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "https://minio.example.com/browser/my-bucket/interactions/{path}",
    "default": "",
}

SUPPRESSION = {
    "description": "Connection with the key for hashes of erased people as password: at least 32 random characters.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "interactions_suppression",
    "default": "",
}

ENCRYPT_RAW = {
    "description": (
        "Address of a folder outside of the lake, for the keys that encrypt raw records, one for each contact: on "
        "a disk that all workers share, or on S3. Empty: raw records are stored as the vendor sends them."
    ),
    "version_added": "0.1.0",
    "type": "string",
    "example": "s3://aws_default@my-keys/interactions",
    "default": "",
}

ENCRYPTION = {
    "description": (
        "Connection with the master key for encrypted raw records as its password: at least 32 random characters. The "
        "list former in its extra has former master keys."
    ),
    "version_added": "0.1.0",
    "type": "string",
    "example": "interactions_encryption",
    "default": "",
}

REDSHIFT_ROLE = {
    "description": "ARN of the IAM role that Redshift uses to read the lake. Default: the cluster's default role.",
    "version_added": "0.1.0",
    "type": "string",
    "example": "arn:aws:iam::123456789012:role/lake-reader",
    "default": "",
}

POOLS = {
    "description": (
        "Whether pipelines run the tasks that call a vendor in the Airflow pool named like the connection, for "
        "example which50_default. Create the pools first: Airflow does not run a task if its pool is missing."
    ),
    "version_added": "0.1.0",
    "type": "boolean",
    "example": "True",
    "default": "False",
}

SHARED_LIMIT = {
    "description": (
        "Whether the tasks of one account share its rate limit, by a small file in the lake's folder limits. Only for "
        "lakes on a local disk, or on S3 and stores that know its conditional writes. On other lakes, each task keeps "
        "to the limit by itself."
    ),
    "version_added": "0.1.0",
    "type": "boolean",
    "example": "True",
    "default": "False",
}

MAX_BACKFILL_REQUESTS = {
    "description": (
        "Requests of a whole backfill, all of its windows together, above which the coverage page starts it only after "
        "a confirmation. 0 for never. The limit max_requests of a pipeline is for each run alone."
    ),
    "version_added": "0.1.0",
    "type": "integer",
    "example": "1000000",
    "default": "0",
}

#: The names of the link classes, without their ending.
LINKS = ("Manifest", "Parquet", "Lines", "Page", "Receipt")


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata. Airflow calls this as the entry point ``apache_airflow_provider``."""
    abouts = list_abouts()
    return {
        "package-name": PACKAGE,
        "name": "Interactions",
        "description": "Contact interactions from marketing and CRM systems into a lake and a warehouse.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": about.title, "tags": ["service"]}
            | ({"external-doc-url": about.url} if about.url else {})
            for about in abouts
        ],
        "hooks": [{"integration-name": about.title, "python-modules": [HOOKS]} for about in abouts],
        "operators": [{"integration-name": about.title, "python-modules": OPERATORS} for about in abouts],
        "connection-types": [describe_connection(about) for about in abouts],
        "extra-links": [f"airflow_provider_interactions.observability.links.{name}Link" for name in LINKS],
        "config": {
            "interactions": {
                "description": "Contact interactions: the lake and its tasks.",
                "options": {
                    "lake": LAKE,
                    "suppression_conn_id": SUPPRESSION,
                    "encrypt_raw": ENCRYPT_RAW,
                    "encryption_conn_id": ENCRYPTION,
                    "browse": BROWSE,
                    "identities": IDENTITIES,
                    "pools": POOLS,
                    "shared_limit": SHARED_LIMIT,
                    "redshift_iam_role": REDSHIFT_ROLE,
                    "max_backfill_requests": MAX_BACKFILL_REQUESTS,
                },
            }
        },
    }
