"""Clients written by hand for one vendor each, without this package: what it is compared with.

``python -m tests.bench.handwritten bodies`` writes the responses to one Parquet file, the least anybody has to do.
``python -m tests.bench.handwritten tables`` reads their records and writes these, without a mapping. ``BENCH_VENDOR``
and the other variables say whom to ask, and for whom.
"""

import asyncio
import json
import os
import sys
from base64 import b64encode
from contextlib import asynccontextmanager
from hashlib import md5
from operator import attrgetter
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from yarl import URL

NAME, LAKE, IN_FLIGHT = (
    os.environ["BENCH_VENDOR"],
    Path(os.environ["BENCH_LAKE"]),
    int(os.environ.get("BENCH_IN_FLIGHT", "16")),
)

CONTACTS = json.loads(Path(os.environ["BENCH_CONTACTS"]).read_text())

#: Rows, or responses, of one row group.
ROWS, BODIES = 65_536, 130

TEXT, NUMBER, ANY = str | None, int | None, msgspec.Raw

#: The fields of the records. Those that may be anything stay JSON.
FIELDS = {
    "dynamics_marketing": {
        **dict.fromkeys(("InteractionId", "InteractionType", "Timestamp", "OrganizationId", "ContactId"), TEXT),
        **dict.fromkeys(("CustomerJourneyId", "CustomerJourneyIterationId", "MessageId", "SendingId"), TEXT),
        **dict.fromkeys(("UsageType", "ActivityId", "AccountId", "EmailDomain", "EmailAddressUsed"), TEXT),
        "SandboxDetails": ANY,
    },
    "luminate_online": {  # the sandbox sends an object in place of any text
        **dict.fromkeys(("interactionId", "interactionTypeId", "consId", "creationDate", "categoryId"), ANY),
        **dict.fromkeys(("createdBy", "referenceId", "subject", "count", "note", "sandboxField"), ANY),
    },
    "which50": {
        **dict.fromkeys(("Interaction", "Name", "Occurred", "Status", "CampaignName", "SandboxNote"), TEXT),
        **dict.fromkeys(("Id", "CampaignId"), NUMBER),
    },
    "capillary": {
        **dict.fromkeys(("receiver", "subject", "status", "sentDate", "deliveredTime"), TEXT),
        **dict.fromkeys(("id", "campaignId", "userId"), NUMBER),
        "sandboxDetails": ANY,
    },
}[NAME]

COLUMNS = {TEXT: pa.string(), NUMBER: pa.int64(), ANY: pa.binary()}
TABLE = pa.schema([(name, COLUMNS[kind]) for name, kind in FIELDS.items()])
BODY = pa.schema([("body", pa.binary())])

Record = msgspec.defstruct(
    "Record",
    [(name, kind, msgspec.Raw(b"null") if kind is ANY else None) for name, kind in FIELDS.items()],
    gc=False,
)


async def ask_dynamics_marketing(send, known, contact):
    """All interactions of the day, in pages of 500."""
    body = {"ContactId": contact, "InteractionType": "EmailSent", "Top": 500}
    headers = {"OData-Version": "4.0", "OData-MaxVersion": "4.0"}
    while True:
        url = f"{known['host']}/api/data/v9.0/msdyncrm_LoadInteractionsPublic"
        page = await send("POST", url, json=body, headers=headers)
        yield page
        token = json.loads(b'{"x":%s' % page[page.rfind(b'"NextSkipToken":') + 16 :])["x"]
        if not token:
            return
        body["SkipToken"] = token


async def ask_luminate_online(send, known, contact):
    """The one page of a day's interactions, which are fewer than fit on it."""
    form = {"method": "getUserInteractions", "v": "1.0", "response_format": "json"}
    form |= {"login_name": known["login"], "login_password": known["password"], "api_key": known["extra"]["api_key"]}
    form |= {"begin_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z", "cons_id": contact}
    form |= {"list_page_size": "1000", "list_record_offset": "0", "list_ascending": "true"}
    yield await send("POST", f"{known['host']}/SRConsAPI", data=form)


async def ask_which50(send, known, contact):
    """The whole history."""
    path = f"{known['host']}/contacts/{quote(contact, safe='')}/communications"
    yield await send("GET", URL(path, encoded=True), headers={"Authorization": f"Bearer {known['password']}"})


async def ask_capillary(send, known, contact):
    """The whole history."""
    login = f"{known['login']}:{md5(known['password'].encode()).hexdigest()}"
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    query = {"identifierName": "mobile", "identifierValue": contact}
    yield await send("GET", f"{known['host']}/v2/customers/interaction", params=query, headers=headers)


ASK = globals()[f"ask_{NAME}"]


class Outer(msgspec.Struct):
    """Dynamics: the records are JSON in a text."""

    Data: str


class Entry(msgspec.Struct):
    """Capillary: a channel."""

    messages: list[Record] = msgspec.field(name="messageList", default_factory=list)


class History(msgspec.Struct):
    """Capillary: the channels."""

    interaction: list[Entry]


class Listing(msgspec.Struct):
    """Luminate: the records."""

    interaction: list[Record]


class Answer(msgspec.Struct):
    """Luminate: the envelope."""

    listing: Listing = msgspec.field(name="getUserInteractionsResponse")


RECORDS = msgspec.json.Decoder(list[Record])
OUTER, ANSWER, HISTORY = map(msgspec.json.Decoder, (Outer, Answer, History))

READ = {
    "dynamics_marketing": lambda body: RECORDS.decode(OUTER.decode(body).Data),
    "luminate_online": lambda body: ANSWER.decode(body).listing.interaction,
    "which50": RECORDS.decode,
    "capillary": lambda body: [record for entry in HISTORY.decode(body).interaction for record in entry.messages],
}[NAME]


def build_table(body):
    """The records of a response as columns."""
    records = READ(body)
    columns = [_build_column(list(map(attrgetter(name), records)), kind) for name, kind in FIELDS.items()]
    return pa.record_batch(columns, schema=TABLE)


def _build_column(values, kind):
    return pa.array(map(bytes, values) if kind is ANY else values, COLUMNS[kind], size=len(values))


def build_body(body):
    """A response as a row."""
    return pa.record_batch([pa.array([body], pa.binary())], schema=BODY)


async def download(build, schema, most):
    """Ask for all contacts, and write what ``build`` makes of each response in row groups of so many."""
    known, contacts, rows = json.loads(os.environ["BENCH_CONNECTION"]), iter(CONTACTS), 0
    async with open_session(known) as send:
        words = build is build_table
        with pq.ParquetWriter(LAKE / "file.parquet", schema, compression="zstd", use_dictionary=words) as writer:
            held = []

            async def work():
                nonlocal held, rows
                for contact in contacts:
                    async for body in ASK(send, known, contact):
                        held.append(build(body))
                        rows += held[-1].num_rows
                        if sum(one.num_rows for one in held) >= most:
                            full, held = held, []
                            writer.write_table(pa.Table.from_batches(full))

            await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
            writer.write_table(pa.Table.from_batches(held, schema))
    return rows


@asynccontextmanager
async def open_session(known):
    """What sends a request and reads the response's body."""
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Accept": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers, raise_for_status=True) as session:
        if "authority" in known["extra"]:
            session.headers["Authorization"] = f"Bearer {await fetch_token(session, known)}"

        async def send(method, url, **request):
            async with session.request(method, url, **request) as response:
                return await response.read()

        yield send


async def fetch_token(session, known):
    """A token by client credentials."""
    extra = known["extra"]
    form = {"grant_type": "client_credentials", "client_id": known["login"], "client_secret": known["password"]}
    url = f"{extra['authority']}/{extra['tenant_id']}/oauth2/v2.0/token"
    async with session.post(url, data={**form, "scope": extra["scope"]}) as answer:
        return (await answer.json())["access_token"]


def bodies():
    """The responses."""
    return asyncio.run(download(build_body, BODY, BODIES))


def tables():
    """The records."""
    return asyncio.run(download(build_table, TABLE, ROWS))


if __name__ == "__main__":
    LAKE.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"bodies": bodies, "tables": tables}[sys.argv[1]]()))
