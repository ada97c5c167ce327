"""A small client of Customer Insights - Journeys, and a reader of its rows, written for the sandbox's tests alone."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from deltalake import QueryBuilder

from airflow_provider_interactions.sandbox import Fact

VENDOR = "dynamics_journeys"
STORAGE = "https://storage.azure.com/.default"
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PEOPLE = ("DeletedContactId", "ProfileId", "ContactId", "LeadId", "EntityId", "DeletedEntityId", "VisitorId")
_COLUMNS = {"IdempotencyId", "InteractionType", "Timestamp", "Version", "CustomerJourneyId", "MessageId"}
_CLIENTS = {
    "391123ee-6312-4dcf-9e2d-9027022804d8": "Gmail",
    "89945e01-90e2-408f-ac99-cd46b19e51d8": "Outlook",
    "a8a2dc38-6acd-42c3-999b-5599e31aca3b": "Chrome",
    "e54ffd0f-c94d-435f-8a97-407c634cbda1": "Safari",
    "807c4a91-d194-443b-8052-5a4f2945fba0": "Firefox",
    "2fd14342-0556-42bf-a155-7f1343ce16df": "Windows",
    "cc324703-9d00-4cf9-bee7-fa65b373841d": "iOS",
    "6b6b81d0-ef01-4b4d-8430-675dc31ae27d": "Android",
    "aa1519ed-8c2b-4c96-b658-a63f0bd02332": "Desktop",
    "f8c82bd5-e602-454e-bfb4-326e60daafda": "Mobile",
}
#: tables that have no column for a person: their rows are the organisation's
_NOBODYS = {"CustomerVoiceQuestionResponseSubmitted", "SegmentMembersCountChanged", "OptimizationFeedback"}


class Journeys:
    """Talks to the sandbox as its connection says."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        connection = sandbox.connections[VENDOR]
        self.host, self.extra = connection["host"], connection["extra"]
        self.form = {"client_id": connection["login"], "client_secret": connection["password"]}
        self.session = requests.Session()

    def token(self, scope: str = STORAGE) -> str:
        """A fresh token."""
        url = f"{self.extra['authority']}/{self.extra['tenant_id']}/oauth2/v2.0/token"
        form = {"grant_type": "client_credentials", "scope": scope, **self.form}
        return str(self.session.post(url, data=form, timeout=5).json()["access_token"])

    def api(self, path: str, token: str | None = None) -> requests.Response:
        """GET below Dataverse's root."""
        headers = {"Authorization": f"Bearer {token or self.token(f'{self.host}/.default')}"}
        return self.session.get(f"{self.host}/api/data/v9.2/{path}", headers=headers, timeout=5)

    def onelake(self, path: str = "", token: str | None = None, **query: str) -> requests.Response:
        """GET below OneLake's account."""
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        return self.session.get(f"{self.extra['onelake_endpoint']}/{path}", params=query, headers=headers, timeout=5)

    @property
    def tables_path(self) -> str:
        """The lakehouse's tables, from the container on."""
        return f"{self.extra['lakehouse']}/Tables"

    def list_tables(self, folder: str | None = None) -> list[str]:
        """Names of the folders below ``Tables``, page by page."""
        prefix, marker, names = f"{folder or self.tables_path}/", "", []
        query = {"restype": "container", "comp": "list", "prefix": prefix, "delimiter": "/"}
        for _ in range(100):
            text = self.onelake(self.extra["workspace"], marker=marker, **query).content.decode("utf-8-sig")
            names += re.findall(rf"<BlobPrefix><Name>{prefix}([^/<]+)/</Name>", text)
            marker = re.findall(r"<NextMarker>(.*)</NextMarker>", text)[0]
            if not marker:
                return names
        raise AssertionError("paging does not end")

    def open_onelake(self, table: str, *, token: str | None = None) -> deltalake.DeltaTable:
        """A Delta table by ``deltalake``, over the socket."""
        options = {"account_name": "onelake", "bearer_token": token or self.token(), "allow_http": "true"}
        url = f"az://{self.extra['workspace']}/{self.tables_path}/{table}"
        return deltalake.DeltaTable(url, storage_options={**options, "endpoint": self.extra["onelake_endpoint"]})

    def find_lake(self) -> tuple[str, str]:
        """The managed lake's container as a URL, and its folder of the tables."""
        name = "Customer Insights Journeys"
        folder = self.api(f"datalakefolders?$filter=name eq '{name}'&$select=path,name").json()["value"][0]["path"]
        return self.api("RetrieveAnalyticsStoreDetails").json()["AnalyticsStoreDetails"]["Endpoint"], folder

    def ask_sas(self, folder: str, *, minutes: int = 60, proxy: bool = False) -> requests.Response:
        """Ask for a SAS of a folder, a URL."""
        inner = (
            f"Url=@p1,ResourceType='Folder',Permissions='Read,List',SasTokenValidityInMinutes={minutes},"
            f"UseBlobProxy={str(proxy).lower()}"
        )
        return self.api(f"RetrieveAnalyticsStoreAccess({inner})?@p1='{folder}'")

    def open_lake(self, table: str) -> deltalake.DeltaTable:
        """A Delta table of the managed lake by ``deltalake``, with a SAS of its own."""
        endpoint, folder = self.find_lake()
        account, _, container = endpoint.rpartition("/")
        sas = self.ask_sas(f"{endpoint}/{folder}").json()["SASToken"]
        options = {"account_name": "lake", "sas_key": sas, "endpoint": account, "allow_http": "true"}
        return deltalake.DeltaTable(f"az://{container}/{folder}/{table}", storage_options=options)

    def read_manifest(self) -> dict[str, str]:
        """By table, its location."""
        endpoint, folder = self.find_lake()
        sas = self.ask_sas(f"{endpoint}/{folder}").json()["SASToken"]
        url = f"{endpoint}/{folder}/default.manifest.cdm.json?{sas}"
        entities = self.session.get(url, timeout=5).json()["entities"]
        assert len(entities) == 136
        return {
            each["entityName"]: each["dataPartitions"][0]["location"] for each in entities if each["dataPartitions"]
        }

    def list_by_proxy(self, directory: str) -> list[dict[str, str]]:
        """The paths of a directory by the blob proxy, page by page."""
        endpoint, folder = self.find_lake()
        url, _, sas = self.ask_sas(f"{endpoint}/{folder}", proxy=True).json()["SASToken"].partition("?")
        container = url.rpartition("/")[0]
        paths, mark = [], ""
        for _ in range(100):
            query = f"{sas}&recursive=false&resource=filesystem&directory={directory}{mark}"
            response = self.session.get(f"{container}?{query}", timeout=5)
            response.raise_for_status()
            paths += response.json()["paths"]
            if "x-ms-continuation" not in response.headers:
                return paths
            mark = f"&continuation={response.headers['x-ms-continuation']}"
        raise AssertionError("paging does not end")

    def read_by_proxy(self, path: str) -> bytes:
        """A file by the blob proxy."""
        endpoint, folder = self.find_lake()
        url, _, sas = self.ask_sas(f"{endpoint}/{folder}", proxy=True).json()["SASToken"].partition("?")
        response = self.session.get(f"{url.rpartition('/')[0]}/{path}?{sas}", timeout=5)
        response.raise_for_status()
        return response.content


def read_rows(table: deltalake.DeltaTable) -> list[dict[str, Any]]:
    """Every row of a Delta table, by DataFusion, without nulls."""
    found = pa.table(QueryBuilder().register("t", table).execute("SELECT * FROM t"))
    return [_without_nulls(row) for row in found.to_pylist()]


def parse_parquet(content: bytes) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    return [_without_nulls(row) for row in pq.read_table(io.BytesIO(content)).to_pylist()]


def parse_csv(content: bytes) -> list[dict[str, Any]]:
    """The rows of a CSV file with US times."""
    lines = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [{name: _parse_cell(name, text) for name, text in line.items() if text} for line in lines]


def _parse_cell(name: str, text: str) -> Any:
    """A cell; only the columns with a place of their own in a fact are more than text."""
    if name == "Timestamp":
        try:
            return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
        except ValueError:
            return text
    return int(text) if name == "DeliveredCount" else text


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def build_facts(table: str, rows: list[dict[str, Any]]) -> tuple[list[Fact], list[dict[str, Any]]]:
    """What a correct reader makes of the rows of a table: facts and rejects."""
    newest: dict[str, dict[str, Any]] = {}
    rejects = []
    for row in rows:
        key = row.get("IdempotencyId") or row.get("InternalMarketingInteractionId")
        if key and (row.get("DeliveredCount") or 0) < 0:  # it cancels a delivery, and both are added up
            key = f"{key}:cancelled"
        somebody = table in _NOBODYS or any(name in row for name in _PEOPLE)
        if not key or not somebody or not isinstance(row.get("Timestamp"), datetime):
            rejects.append(row)
        elif key not in newest or int(row.get("Version", 0)) > int(newest[key].get("Version", 0)):
            newest[key] = row
    return [_build_fact(table, key, row) for key, row in newest.items()], rejects


def _build_fact(table: str, key: str, row: dict[str, Any]) -> Fact:
    at, people = row["Timestamp"], ("OrganizationId",) if table in _NOBODYS else _PEOPLE
    person = _lower(next(row[name] for name in people if name in row))
    names = {f"{name[:-2]}Name": _CLIENTS[row[name]] for name in row if row[name] in _CLIENTS}
    return Fact(
        vendor=VENDOR,
        contact_id=person,
        interaction_id=f"{table}:{key}",
        occurred_at=round(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond,
        native_type=table,
        campaign_id=_lower(row.get("CustomerJourneyId")),
        message_id=_lower(row.get("MessageId")),
        count=row.get("DeliveredCount"),
        revision=int(row["Version"]) if "Version" in row else None,
        attributes={
            name: value.isoformat(timespec="microseconds").replace("+00:00", "Z")
            if isinstance(value, datetime)
            else value
            for name, value in row.items()
            if name not in _COLUMNS | {"DeliveredCount"} and not (name == "ProfileId" and _lower(value) == person)
        }
        | names,
    )


def _lower(text: str | None) -> str | None:
    return text.lower() if text and _GUID.fullmatch(text) else text
