"""Customer Insights - Journeys: real Delta, Parquet and CSV over the socket, compared with the oracle."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise

import deltalake
import pyarrow as pa
import pytest
import requests

from airflow_provider_interactions.sandbox import SandboxConfig, digest, serve
from airflow_provider_interactions.sandbox.dynamics_journeys.delta import DeltaTable, Layout, build_schema
from tests.journeys_client import VENDOR, Journeys, build_facts, parse_csv, parse_parquet, read_rows

START, END = "2026-01-01", "2026-01-08"
FEW = ("EmailSent", "EmailDelivered", "FormVisited", "ContactDeleted", "SegmentMembersCountChanged")


@contextmanager
def running(contacts=8, **options):
    """A sandbox and a client."""
    with serve(SandboxConfig(contacts=contacts, options={VENDOR: options})) as sandbox:
        client = Journeys(sandbox)
        with client.session:
            yield client


@pytest.fixture(scope="module")
def shared():
    with running(contacts=12, page_size=7, bad_rows=True) as client:
        yield client


def sum_up(rows_by_table):
    """The digest of all facts of these rows, and how many rows were rejected."""
    found = [build_facts(table, rows) for table, rows in rows_by_table.items()]
    facts = [fact for some, _ in found for fact in some]
    return len(facts), digest(facts), sum(len(rejects) for _, rejects in found)


def expect(client):
    known = client.sandbox.oracle(VENDOR, START, END)
    return known.interactions, known.digest


def test_onelake_holds_what_the_oracle_says(shared):
    token = shared.token()
    tables = {name: shared.open_onelake(name, token=token) for name in shared.list_tables()}
    count, sum_, rejects = sum_up({name: read_rows(table) for name, table in tables.items()})
    assert (count, sum_) == expect(shared)
    assert count > 200
    assert rejects == len(shared.sandbox.change(VENDOR, "list_rejects")) > 5
    features = {frozenset(table.protocol().reader_features or ()) for table in tables.values()}
    assert {frozenset(), frozenset({"deletionVectors"}), frozenset({"deletionVectors", "columnMapping"})} <= features
    assert {len(table.metadata().partition_columns) for table in tables.values()} == {0, 1}


@pytest.mark.parametrize("features", ["all", "none"])
@pytest.mark.parametrize("open_table", [Journeys.open_onelake, Journeys.open_lake])
def test_delta_is_read_right_with_every_feature_and_with_none(features, open_table):
    with running(types=FEW, delta=features, contacts=20) as client:
        count, sum_, _ = sum_up({name: read_rows(open_table(client, name)) for name in FEW})
        assert (count, sum_) == expect(client)
        table = open_table(client, "EmailSent")
        assert table.protocol().min_reader_version == (3 if features == "all" else 1)
        assert bool(table.deletion_vectors().read_all().num_rows) == (features == "all")


@pytest.mark.parametrize(("kind", "parse"), [("parquet", parse_parquet), ("csv", parse_csv)])
def test_the_managed_lake_may_hold_other_files(kind, parse):
    with running(types=FEW, format=kind, contacts=20, bad_rows=True, page_size=2, location="path") as client:
        rows = {
            table: [row for path in client.list_by_proxy(location) for row in parse(client.read_by_proxy(path["name"]))]
            for table, location in client.read_manifest().items()
        }
        count, sum_, rejects = sum_up(rows)
        assert (count, sum_) == expect(client)
        known = client.sandbox.change(VENDOR, "list_rejects")
        assert rejects == len(known)
        assert {each["reason"] for each in known} == {"bad_time", "no_key", "no_person"}


def test_rows_are_as_unruly_as_the_facts_say(shared):
    rows = [row for name in shared.list_tables() for row in read_rows(shared.open_onelake(name))]
    assert {row.get("ProfileType") for row in rows} >= {"contact", "Contact", "Lead", "CI Profile"}
    assert {row["SourceSystem"] for row in rows} == {1, 2}
    assert any("EntityId" in row and "IdempotencyId" not in row for row in rows)
    assert any("VisitorId" in row and not {"ProfileId", "ContactId", "EntityId"} & row.keys() for row in rows)
    assert any("SandboxDetails" in row for row in rows)
    assert {row.get("DeliveredCount") for row in rows} == {None, 1, -1}
    assert any("Timestamp" not in row for row in rows)
    keys = [(row["InteractionType"], row["IdempotencyId"]) for row in rows if "IdempotencyId" in row]
    assert len(keys) > len(set(keys))
    assert not any(key.startswith("deleted-") for _, key in keys)


def test_listings_page_by_page(shared):
    table = f"{shared.tables_path}/EmailSent"
    whole, marker = [], ""
    query = {"restype": "container", "comp": "list", "prefix": f"{table}/"}
    for _ in range(100):
        response = shared.onelake(shared.extra["workspace"], marker=marker, **query)
        text = response.content.decode("utf-8-sig")
        whole += [part.split("</Name>")[0] for part in text.split("<Name>")[1:]]
        marker = text.split("<NextMarker>")[1].split("<")[0]
        if not marker:
            break
    assert whole == sorted(set(whole))
    assert len(whole) > 7
    after = shared.onelake(shared.extra["workspace"], startFrom=whole[3], **query).text
    assert whole[3] in after
    assert whole[2] not in after
    query = {"resource": "filesystem", "directory": table, "recursive": "false"}
    paths = shared.onelake(shared.extra["workspace"], **query).json()["paths"]
    assert {"name": f"{table}/_delta_log", "isDirectory": "true"}.items() <= paths[0].items()
    assert all(path["name"] in whole for path in paths)


def test_a_file_is_read_whole_in_parts_and_by_its_head(shared):
    folder, workspace, token = f"{shared.tables_path}/EmailSent/_delta_log", shared.extra["workspace"], shared.token()
    listed = shared.onelake(workspace, token, resource="filesystem", directory=folder).json()["paths"]
    path = f"{workspace}/{listed[0]['name']}"
    url = f"{shared.extra['onelake_endpoint']}/{path}"
    whole = shared.onelake(path, token)
    login = {"Authorization": f"Bearer {token}"}
    head = shared.session.head(url, headers=login, timeout=5)
    part = shared.session.get(url, headers=login | {"Range": "bytes=2-5"}, timeout=5)
    beyond = shared.session.get(url, headers=login | {"Range": "bytes=99999-"}, timeout=5)
    changed = shared.session.get(url, headers=login | {"If-Match": '"0x8D1"'}, timeout=5)
    assert int(listed[0]["contentLength"]) == len(whole.content)
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert part.headers["Content-Range"] == f"bytes 2-5/{len(whole.content)}"
    assert int(head.headers["Content-Length"]) == len(whole.content)
    assert head.headers["ETag"] == whole.headers["ETag"] == part.headers["ETag"]
    assert [beyond.status_code, changed.status_code] == [416, 412]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("{workspace}/{lakehouse}/Tables/Nothing/_delta_log/x.json", 404, "BlobNotFound"),
        ("00000000-0000-0000-0000-000000000000/{lakehouse}/Tables", 404, "ContainerNotFound"),
        ("Marketing/{lakehouse}/Tables", 400, "FriendlyNameSupportDisabled"),
        ("{workspace}/Journeys.Lakehouse/Tables", 400, "FriendlyNameSupportDisabled"),
    ],
)
def test_errors_of_the_storage_are_xml_with_a_code(shared, path, status, code):
    response = shared.onelake(path.format(**shared.extra))
    assert (response.status_code, response.headers["x-ms-error-code"]) == (status, code)
    assert f"<Code>{code}</Code>" in response.content.decode("utf-8-sig")


def test_a_token_is_good_for_its_audience_only(shared):
    dataverse = shared.token(f"{shared.host}/.default")
    wrong = shared.onelake(shared.extra["workspace"], dataverse, restype="container", comp="list")
    assert (wrong.status_code, wrong.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
    assert "Audience did not match" in wrong.text
    assert shared.api("WhoAmI", shared.token()).status_code == 401
    assert shared.api("WhoAmI", dataverse).json()["OrganizationId"]
    nobody = requests.get(f"{shared.extra['onelake_endpoint']}/{shared.extra['workspace']}?comp=list", timeout=5)
    assert (nobody.status_code, nobody.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")


def test_states_that_a_connection_test_must_tell_apart():
    with running(types=FEW, role=False) as client:
        refused = client.onelake(client.extra["workspace"], restype="container", comp="list")
        assert (refused.status_code, refused.headers["x-ms-error-code"]) == (403, "AuthorizationPermissionMismatch")
    with running(types=FEW, shortcut=False, folder=False, link="copying", may_read_lake=False) as client:
        assert client.list_tables() == []
        assert client.api("datalakefolders?$filter=name eq 'Customer Insights Journeys'").json()["value"] == []
        assert (
            '"CDS3.IsCDS3Hydrated": false' in client.api("synapselinkprofiles").json()["value"][0]["extendedproperties"]
        )
        endpoint = client.api("RetrieveAnalyticsStoreDetails").json()["AnalyticsStoreDetails"]["Endpoint"]
        assert client.ask_sas(f"{endpoint}/x").status_code == 403
    with running(types=FEW, empty=True) as client:
        assert client.list_tables() == []
        assert client.read_manifest() == {}
        assert client.sandbox.oracle(VENDOR, START, END).interactions == 0


def test_lakehouses_with_schemas_names_and_lower_case():
    with running(types=FEW, schemas=True, lower_case=True) as client:
        client.extra |= {"workspace": "Marketing", "lakehouse": "Journeys.Lakehouse"}
        assert client.list_tables() == ["dbo"]
        assert client.list_tables(f"{client.tables_path}/dbo") == sorted(name.lower() for name in FEW)
        assert read_rows(client.open_onelake("dbo/emailsent"))


def test_a_sas_is_of_a_folder_and_ends(shared):
    endpoint, folder = shared.find_lake()
    assert shared.ask_sas(f"{endpoint}/{folder}", minutes=61).status_code == 400
    assert shared.ask_sas("https://elsewhere.example.org/x").status_code == 400
    other = shared.ask_sas(f"{endpoint}/{folder}/SmsSent").json()["SASToken"]
    manifest = f"{endpoint}/{folder}/default.manifest.cdm.json"
    refused = requests.get(f"{manifest}?{other}", timeout=5)
    assert (refused.status_code, refused.headers["x-ms-error-code"]) == (403, "AuthorizationPermissionMismatch")
    with running(types=FEW, sas_seconds=0) as client:
        endpoint, folder = client.find_lake()
        sas = client.ask_sas(f"{endpoint}/{folder}").json()["SASToken"]
        url = f"{endpoint}/{folder}/default.manifest.cdm.json?{sas}"
        assert requests.get(url, timeout=5).status_code == 200
        time.sleep(1.1)
        ended = requests.get(url, timeout=5)
        assert (ended.status_code, ended.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
        assert "not valid in the specified time frame" in ended.text


def test_late_rows_belong_to_their_days_and_come_as_a_new_version():
    with running(types=FEW) as client:
        days = [f"2026-01-{day:02}" for day in range(1, 9)]
        before = [client.sandbox.oracle(VENDOR, *pair).interactions for pair in pairwise(days)]
        table = client.open_onelake("EmailSent")
        version, rows = table.version(), len(read_rows(table))
        assert client.sandbox.change(VENDOR, "add_late_rows", table="EmailSent", days=["2026-01-03"], rows=4) == 4
        assert client.sandbox.change(VENDOR, "add_versions", table="EmailSent", day="2026-01-03") >= 4
        after = [client.sandbox.oracle(VENDOR, *pair).interactions for pair in pairwise(days)]
        assert [new - old for old, new in zip(before, after, strict=True)] == [0, 0, 4, 0, 0, 0, 0]
        table = client.open_onelake("EmailSent")
        assert table.version() >= version + 2
        assert len(read_rows(table)) >= rows + 8
        assert client.sandbox.change(VENDOR, "delete_rows", table="EmailSent", day="2026-01-05") > 0
        assert client.sandbox.oracle(VENDOR, "2026-01-05", "2026-01-06", type="EmailSent").interactions == 0
        table = client.open_onelake("EmailSent")
        client.sandbox.change(VENDOR, "compact", table="EmailSent")
        fresh = client.open_onelake("EmailSent")
        assert len(fresh.file_uris()) < len(table.file_uris())
        assert sorted(map(str, read_rows(fresh))) == sorted(map(str, read_rows(table)))
        count, sum_, _ = sum_up({name: read_rows(client.open_onelake(name)) for name in FEW})
        assert (count, sum_) == expect(client)


@pytest.mark.parametrize("kind", ["truncated_parquet", "unknown_reader_feature", "missing_file", "broken_log"])
def test_damaged_tables_cannot_be_read(kind):
    with running(types=FEW) as client:
        assert read_rows(client.open_onelake("EmailSent"))
        client.sandbox.change(VENDOR, "damage", table="EmailSent", kind=kind)
        with pytest.raises(Exception, match=r"(?i)sandboxFeature|not found|parquet|EOF|json|No such|range|footer"):
            read_rows(client.open_onelake("EmailSent"))
        assert read_rows(client.open_onelake("EmailDelivered"))


def test_a_file_of_a_folder_may_be_cut_off():
    with running(types=FEW, format="parquet") as client:
        paths = sorted(path["name"] for path in client.list_by_proxy(f"{client.find_lake()[1]}/EmailSent"))
        assert parse_parquet(client.read_by_proxy(paths[-1]))
        client.sandbox.change(VENDOR, "damage", table="EmailSent", kind="truncated_parquet")
        with pytest.raises(Exception, match="Parquet magic bytes not found"):
            parse_parquet(client.read_by_proxy(paths[-1]))
        assert parse_parquet(client.read_by_proxy(paths[0]))


def test_tables_may_have_other_columns_and_other_types():
    damage = [["EmailSent", "unknown_columns"], ["EmailDelivered", "other_type"]]
    with running(types=FEW, damage=damage) as client:
        assert read_rows(client.open_onelake("EmailSent")) == [{"SandboxName": "x", "SandboxNumber": 1}]
        versions = {row["Version"] for row in read_rows(client.open_onelake("EmailDelivered")) if "Version" in row}
        assert versions <= {"1", "2", "3", "4", "5"}
        assert versions


def test_faults_of_the_storage():
    with running(types=FEW) as client:
        workspace, token = client.extra["workspace"], client.token()
        client.sandbox.faults([{"kind": "status", "status": 503, "path": "/onelake/", "times": 1}])
        busy = client.onelake(workspace, token, restype="container", comp="list")
        assert (busy.status_code, busy.headers["x-ms-error-code"]) == (503, "ServerBusy")
        client.sandbox.faults(
            [
                {"kind": "truncate", "path": "part-", "times": 1},
                {"kind": "reset", "path": "part-", "after": 1, "times": 1},
            ]
        )
        rows = read_rows(client.open_onelake("EmailSent", token=token))  # object_store asks again
        client.sandbox.faults([])
        assert len(rows) == len(read_rows(client.open_onelake("EmailSent", token=token)))
        client.sandbox.faults([{"kind": "expire_tokens", "uses": 3, "path": "/lake/"}])
        with pytest.raises(Exception, match="AuthenticationFailed"):
            read_rows(client.open_lake("EmailSent"))
        client.sandbox.faults([{"kind": "throttle", "vendor": VENDOR, "path": "/api/data/", "retry_after": 3}])
        refused = client.api("WhoAmI")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")


def test_a_file_of_many_parts_has_statistics_of_all(tmp_path):
    columns = {"IdempotencyId": "s", "Timestamp": "t", "Version": "i"}
    table = DeltaTable(tmp_path / "EmailSent", columns, Layout(), 0)
    days = [datetime(2026, 1, day, 5, 6, 7, 999, UTC) for day in (3, 2, 4)]
    rows = [{"IdempotencyId": str(day), "Timestamp": day, "Version": None} for day in days]
    table.append_parts((pa.Table.from_pylist([row], build_schema(columns)) for row in rows), 0)
    read = deltalake.DeltaTable(tmp_path / "EmailSent")
    (action,) = pa.table(read.get_add_actions(flatten=True)).to_pylist()
    assert action["num_records"] == 3
    assert [action[f"{side}.Timestamp"].day for side in ("min", "max")] == [2, 4]
    assert action["null_count.Version"] == 3
    assert len(read_rows(read)) == 3


def test_rows_made_by_the_column_are_the_oracles_rows():
    types = ("EmailSent", "EmailClicked")
    with running(types=FEW, scale_rows=100, scale_types=types, contacts=3) as client:
        assert client.list_tables() == sorted({*FEW, "EmailClicked"})
        rows = {name: read_rows(client.open_onelake(name)) for name in client.list_tables()}
        assert len(rows["EmailClicked"]) == 50 * 7
        count, sum_, _ = sum_up(rows)
        assert (count, sum_) == expect(client)


def test_the_connection_is_for_one_of_the_routes():
    lakehouse = {"workspace", "lakehouse", "onelake_endpoint"}
    with running(contacts=2) as client:
        assert lakehouse <= client.extra.keys()
    with running(contacts=2, route="dataverse") as client:
        assert not lakehouse & client.extra.keys()
