"""One target for each vendor: bytes in, and nothing out but the errors that are foreseen, in bounded time.

    import atheris, fuzz
    atheris.Setup(sys.argv, fuzz.fuzz_which50)
    atheris.Fuzz()

CI drives the same functions by Hypothesis.
"""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime

from airflow_provider_interactions import contract
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Query, Response
from airflow_provider_interactions.errors import ConfigError, RecordRejected, VendorError
from airflow_provider_interactions.extract.pipeline import guard_pages
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

FORESEEN = (VendorError, RecordRejected, ConfigError)
WINDOW = Window.of("2026-01-01", "2026-01-04")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
STATUSES = (200, 200, 200, 200, 204, 301, 400, 401, 403, 404, 417, 429, 500, 503)
KINDS = ("application/json", "text/xml", "text/html", "application/octet-stream", "")

CONNECTIONS = {
    "dynamics_marketing": {"tenant_id": "t", "authority": "https://login.example.org"},
    "luminate_online": {"api_key": "k"},
    "which50": {"auth": "oauth2", "token_url": "/token"},
    "capillary": {"api": "v1.1", "auth": "oauth"},
}
CONTACTS = {"dynamics_marketing": "00000000-0000-0000-0000-000000000001", "luminate_online": "1", "capillary": "911"}


def fuzz_dynamics_marketing(data: bytes) -> None:
    """Answers and records of Dynamics."""
    _vendor("dynamics_marketing", data)


def fuzz_luminate_online(data: bytes) -> None:
    """Answers and records of Luminate."""
    _vendor("luminate_online", data)


def fuzz_which50(data: bytes) -> None:
    """Answers and records of Which50."""
    _vendor("which50", data)


def fuzz_capillary(data: bytes) -> None:
    """Answers and records of Capillary."""
    _vendor("capillary", data)


TARGETS = {name.removeprefix("fuzz_"): found for name, found in list(globals().items()) if name.startswith("fuzz_")}


def _vendor(name: str, data: bytes) -> None:
    """The first byte chooses status and content type, the rest is the body, and a record."""
    vendor, chosen, body = VENDORS[name], data[0] if data else 0, data[1:]
    response = Response(STATUSES[chosen % 14], {"content-type": KINDS[chosen // 14 % 5]}, body)
    credentials = build_credentials(vendor, "https://example.org/x", "login", "secret", CONNECTIONS[name])
    person = vendor.contact(CONTACTS.get(name, "1"), vendor.contact_kinds[0])
    options = build_options(vendor, {"group_id": "1"} if name == "luminate_online" else {})
    [query, *_] = vendor.queries(person, credentials.settings, options)
    _token(vendor, credentials, response)
    asyncio.run(_answers(vendor, query, response))
    for context in ("", '{"channel":"sms","time_zone":"Asia/Kolkata"}', body.decode(errors="replace")[:200]):
        _map(vendor, query, context, [body])


def _token(vendor, credentials, response):
    auth = vendor.auth(credentials)
    if auth.read is None:
        return
    with suppress(*FORESEEN):
        token = auth.read(response)
        assert token.value
        assert 0 < token.expires_in < float("inf")
        for value in auth.apply(contract.Request("GET", "/"), token.value).headers.values():
            assert value.isprintable(), "a token that would break a header"


async def _answers(vendor, query: Query, response: Response):
    """Every page of an answer, and of one that comes again and again."""

    async def fetch(_, decode):
        error = vendor.classify(response)
        if error is not None:
            assert isinstance(error, VendorError)
            raise error
        return decode(response)

    with suppress(*FORESEEN):
        number = 0
        async for page in guard_pages(vendor.pages(fetch, query, WINDOW), vendor.name):
            _page(vendor, query, page)
            number += 1
            assert number < 50, "the same answer for ever"
    if vendor.contacts is not None:
        with suppress(*FORESEEN):
            number = 0
            async for people in vendor.contacts(fetch, query.settings, query.options):
                assert all(vendor.contact(person.id, person.kind) == person for person in people)
                number += 1
                if number > 3:
                    return


def _page(vendor, query, page):
    assert len(page.records) == len(page.occurred)
    together = _map(vendor, query, page.context, list(page.records))
    for record, at, row in zip(page.records, page.occurred, together, strict=True):
        assert at is None or at.utcoffset() == NOW.utcoffset()
        # A batch gives what its records give one by one.
        assert [row] == _map(vendor, query, page.context, [record])
        # What is kept for a window, and what the table says of it, are the same instant.
        assert row is None or at is None or row["occurred_at"] == at


def _map(vendor, query, context, records):
    """The row of each record, None for a reject; a row fits into the table."""
    batch = build_batch(records, query.contact, query.native_type or "", context)
    found = map_batch(batch, vendor)
    assert all(reason.isprintable() for reason in found.rejected.values())
    rows = dict(zip(found.places.to_pylist(), found.rows.to_pylist(), strict=True))
    assert len(rows) + len(found.rejected) == len(records)
    assert all(isinstance(json.loads(row["attributes"]), dict) for row in rows.values())
    return [rows.get(place) for place in range(len(records))]
