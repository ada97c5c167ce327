"""The cheapest request that proves a connection's credentials."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from airflow_provider_interactions.contract import Credentials, Vendor
from airflow_provider_interactions.errors import ContactError
from airflow_provider_interactions.http.client import connect
from airflow_provider_interactions.http.retry import Limits

#: Seconds to wait for the response. Airflow's Test button gives up after 60.
TIMEOUT = 20.0


def probe(vendor: Vendor, credentials: Credentials) -> str:
    """Send the vendor's cheapest request once; returns a sentence that says that it worked. Raises VendorError.

    It goes through the engine and not through requests, so that it meets the same TLS, proxies and tokens as an
    extraction.
    """
    asyncio.run(_send(vendor, credentials))
    return f"{vendor.title} accepted the credentials at {credentials.host}."


async def _send(vendor: Vendor, credentials: Credentials) -> None:
    async with connect(vendor, credentials, limits=Limits(timeout=TIMEOUT, tries=1, patience=0)) as client:
        with suppress(ContactError):  # some vendors need a contact in a call, but check credentials first
            await client.fetch(vendor.probe(credentials.settings), lambda response: response)
