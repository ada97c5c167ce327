"""Tokens from azure-identity, the optional extra ``azure``: it does its own HTTP, caching and retries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_interactions.contract import Token
from airflow_provider_interactions.errors import AuthRejected, BadResponse, ConfigError, Unavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

Acquire = Callable[[], Token]


def use_certificate(
    *, tenant_id: str, client_id: str, path: str, password: str | None, authority: str, scope: str
) -> Acquire:
    """A token by certificate; raises ConfigError when the extra is missing or the file cannot be read."""
    identity = _import_library()
    try:
        # The engine retries by itself. Discovery would ask login.microsoftonline.com about an authority that is not
        # on Microsoft's list, which closed networks cannot reach.
        credential = identity.CertificateCredential(
            tenant_id,
            client_id,
            certificate_path=path,
            password=password,
            authority=authority,
            disable_instance_discovery=True,
            retry_total=0,
        )
    except (OSError, ValueError) as wrong:
        msg = f"The certificate cannot be read ({type(wrong).__name__}). Check certificate_path and password."
        raise ConfigError(msg) from None
    return _acquire_from(credential, scope)


def use_managed_identity(client_id: str, scope: str) -> Acquire:
    """A token of the machine's managed identity; ``client_id`` chooses a user-assigned one, empty the system's."""
    return _acquire_from(_import_library().ManagedIdentityCredential(client_id=client_id or None), scope)


def use_workload_identity(*, tenant_id: str | None, client_id: str | None, authority: str, scope: str) -> Acquire:
    """A token of a workload identity: its platform writes a token into a file, and says in the environment where.

    Tenant and client come from the environment, too, where they are None. Raises ConfigError if something is missing.
    """
    identity = _import_library()
    given = {"tenant_id": tenant_id, "client_id": client_id}
    try:
        credential = identity.WorkloadIdentityCredential(
            **{name: value for name, value in given.items() if value},
            authority=authority,
            disable_instance_discovery=True,
            retry_total=0,
        )
    except ValueError:
        msg = (
            "This worker has no workload identity. Its platform sets AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID and "
            "AZURE_CLIENT_ID. Set it up there, or choose another credential."
        )
        raise ConfigError(msg) from None
    return _acquire_from(credential, scope)


def _import_library() -> Any:
    try:
        import azure.identity
    except ImportError:
        msg = "This credential needs azure-identity. Install airflow-provider-interactions[azure]."
        raise ConfigError(msg) from None
    return azure.identity


def _acquire_from(credential: TokenCredential, scope: str) -> Acquire:
    def acquire() -> Token:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        away = "azure-identity could not reach the token host"

        try:
            token = credential.get_token(scope)
        except ClientAuthenticationError as wrong:
            if isinstance(wrong.__cause__, AzureError):  # the library says the same of a host that is not there
                raise Unavailable(away) from None
            msg = "azure-identity could not get a token. Check tenant_id, client id and the certificate or identity"
            raise AuthRejected(msg) from None
        except AzureError:
            raise Unavailable(away) from None
        except ValueError:  # what the library reads with is not always caught there; its text could quote the response
            msg = "azure-identity could not read the token host's response"
            raise BadResponse(msg) from None
        return Token(token.token, token.expires_on - time.time())

    return acquire
