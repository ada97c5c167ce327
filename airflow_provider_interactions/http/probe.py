"""The cheapest request that proves a connection's credentials."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from airflow_provider_interactions.contract import Credentials, Request, Vendor
from airflow_provider_interactions.errors import AuthRejected, ContactError, ServiceRemoved, VendorError
from airflow_provider_interactions.http.client import Client, connect
from airflow_provider_interactions.http.retry import Limits

log = logging.getLogger(__name__)

#: Seconds to wait for the response. Airflow's Test button gives up after 60.
TIMEOUT = 20.0


def probe(vendor: Vendor, credentials: Credentials) -> str:
    """Send the vendor's cheapest request once; returns a sentence that says that it worked. Raises VendorError.

    If that request does not show whether the vendor's service still exists, a second one asks for the service itself.

    It uses the engine instead of the library requests, so it has the same TLS, proxies and tokens as an extraction.
    """
    asyncio.run(_send(vendor, credentials))
    return f"{vendor.title} accepted the credentials at {credentials.host}."


async def _send(vendor: Vendor, credentials: Credentials) -> None:
    async with connect(vendor, credentials, limits=Limits(timeout=TIMEOUT, tries=1, patience=0)) as client:
        with suppress(ContactError):  # some vendors need a contact in a call, but check credentials first
            await client.fetch(vendor.probe(credentials.settings), lambda response: response)
        if vendor.presence is not None:
            await _require_service(client, vendor.presence(credentials.settings))


async def _require_service(client: Client, request: Request) -> None:
    """Raise ServiceRemoved or AuthRejected. Any other answer comes from a service that exists."""
    try:
        await client.fetch(request, lambda response: response)
    except (ServiceRemoved, AuthRejected):
        raise
    except VendorError as error:
        log.info("The service exists. It answered the test with: %s", error)
