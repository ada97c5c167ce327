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
from unittest.mock import patch

import pyarrow as pa

from airflow_provider_interactions import contract, rejects
from airflow_provider_interactions.connection import build_credentials, build_options
from airflow_provider_interactions.contract import Asked, Query, Response
from airflow_provider_interactions.errors import ConfigError, RecordRejected, VendorError
from airflow_provider_interactions.extract.pipeline import guard_pages
from airflow_provider_interactions.normalize import rows as normalize_rows
from airflow_provider_interactions.schema import CANONICAL, RAW
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.vendors.dynamics_marketing import responses
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
    """Answers and records of Dynamics, read at once and one by one, whatever their size."""
    for large in (0, responses.LARGE):
        with patch.object(responses, "LARGE", large):
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
        _record(vendor, body, Asked(person, query.native_type or "", context))


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
    rows = [
        _record(vendor, record, Asked(query.contact, query.native_type or "", page.context)) for record in page.records
    ]
    for at in page.occurred:
        assert at is None or at.utcoffset() == NOW.utcoffset()
    for row, at in zip(rows, page.occurred, strict=True):
        # What is kept for a window, and what the table says of it, are the same instant.
        assert row is None or at is None or row.occurred_at == at
    _alike(vendor, query, page, rows)


def _record(vendor, payload, asked):
    """The row of a record, None for a reject; a row must fit into the table."""
    try:
        row = rejects.read_record(vendor, payload, asked)
    except RecordRejected as rejection:
        reason = rejection.reason
    else:
        return _fitting(row)
    assert reason.isprintable()
    return None


def _fitting(row):
    assert isinstance(json.loads(row.attributes), dict)
    for column in CANONICAL:
        if hasattr(row, column.name):
            pa.array([getattr(row, column.name)], pa.string() if pa.types.is_dictionary(column.type) else column.type)
    return row


def _alike(vendor, query, page, rows):
    """A batch read at once gives what its records give one by one."""
    if vendor.columns is None or not page.records:
        return
    count = len(page.records)
    columns = {
        "vendor": [vendor.name], "account": ["a"], "contact_id": [query.contact.id],
        "contact_id_kind": [query.contact.kind], "asked_type": [query.native_type or ""], "context": [page.context],
        "extracted_at": [NOW], "window_start": [WINDOW.start], "window_end": [WINDOW.end],
    }  # fmt: skip
    columns = {name: values * count for name, values in columns.items()}
    columns |= {"payload": list(page.records), "occurred_at": list(page.occurred)}
    arrays = [
        pa.array(columns[field.name], pa.string()).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array(columns[field.name], field.type)
        for field in RAW
    ]
    batch = pa.record_batch(arrays, schema=RAW)
    sure, at_once = normalize_rows.read_batch(batch, vendor)
    singles = [row for row, is_sure in zip(rows, sure.to_pylist(), strict=True) if is_sure]
    for row in singles:
        assert row is not None
        row.contact_id = row.contact_id or query.contact.id
    assert at_once.to_pylist() == normalize_rows.build_rows(batch.filter(sure), singles).to_pylist()
