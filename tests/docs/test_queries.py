"""The queries, on a table that holds a week of all vendors."""

import json
import shutil

import duckdb
import pyarrow as pa
import pyarrow.csv
import pytest
import requests

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.normalize.identity_map import COLUMNS, scan_file
from airflow_provider_interactions.normalize.persons import PersonIndex
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.vendors import VENDORS


@pytest.fixture(scope="module")
def database(built):
    """The table, with people whose identifiers at each vendor are those of one person of the sandbox."""
    with duckdb.connect(str(built.folder / "copy.duckdb")) as connection:
        connection.execute(f"ATTACH '{built.folder}/lake/interactions.duckdb' AS loaded (READ_ONLY)")
        connection.execute("CREATE TABLE interactions AS SELECT * FROM loaded.interactions")
        yield connection


@pytest.fixture
def ask(database, tools, monkeypatch, built):
    """Run a query of table.md by its mark; rows as dicts."""
    monkeypatch.chdir(built.folder)
    queries = {block.mark.removeprefix("query: "): block.text for block in list_blocks(tools)}

    def run(mark):
        found = database.cursor().sql(queries[mark])
        return found.to_arrow_table().to_pylist() if found is not None else []

    return run


def list_blocks(tools):
    """Those of the table; test_monitoring.py and test_journeys_queries.py run those of the ledger and of Journeys."""
    return [block for block in tools.blocks("sql") if not block.mark.startswith(("ledger: ", "journeys: "))]


def count_rows(database, query):
    [(found,)] = database.cursor().sql(query).fetchall()
    return found


def test_every_query_is_checked_below(tools):
    marks = [block.mark.removeprefix("query: ") for block in list_blocks(tools)]
    assert sorted(marks) == ["attributes", "campaigns", "days", "funnel", "lake", "late", "messages", "person"]


def normalize_again(built, folder, rows):
    """Copy the lake, normalize all its windows with a map of identities, and load them; the path of the database."""
    pyarrow.csv.write_csv(pa.table(list(zip(*rows, strict=True)), COLUMNS), folder / "map.csv")
    lake = Lake.at(shutil.copytree(built.folder / "lake", folder / "lake"))
    table = DuckDBTable(str(folder / "again.duckdb"))
    for path in lake.list_files("raw"):
        if path.endswith("/manifest.json"):
            raw = lake.read(path, Manifest)
            persons = PersonIndex(scan_file(lake.fs, str(folder / "map.csv")))
            table.load(lake, normalize(lake, raw, persons=persons))
    return table.database


def test_one_persons_history_across_vendors_in_order_of_time(tools, built, tmp_path):
    """The map is given only after the lake was filled. No vendor is asked again."""
    before = built.sandbox.stats()
    people = {name: built.sandbox.contacts(name) for name in VENDORS}
    rows = [(f"P-{person or 1}", name, "", "", people[name][person]) for person in range(3) for name in VENDORS]
    path = normalize_again(built, tmp_path, rows)
    [query] = [block.text for block in list_blocks(tools) if block.mark == "query: person"]
    with duckdb.connect(path) as connection:
        rows = connection.sql(query).to_arrow_table().to_pylist()
    assert built.sandbox.stats() == before
    assert {row["vendor"] for row in rows} == set(VENDORS)
    assert [row["occurred_at"] for row in rows] == sorted(row["occurred_at"] for row in rows)
    known = [
        built.sandbox.oracle(
            name, "2026-01-01", "2026-01-08", contact=built.sandbox.contacts(name)[person]
        ).interactions
        for name in VENDORS
        for person in (0, 1)
    ]
    assert len(rows) == sum(known)


#: How far a message came, by what the sandbox says of it: events of Dynamics, last statuses of the others.
STAGES = {
    "EmailSent": 1,
    "EmailDelivered": 2,
    "EmailOpened": 3,
    "EmailClicked": 4,
    **dict.fromkeys(("EmailHardBounced", "EmailSoftBounced", "EmailBlockBounced"), 1),
    None: 1,
    "Sent": 1,
    "Delivered": 2,
    "Opened": 3,
    "Clicked": 4,
    "SENT": 1,
    "SOFT_BOUNCED": 1,
    "DELIVERED": 2,
    "OPENED": 3,
    "CLICKED": 4,
}
EMAILS = {
    "dynamics_marketing": lambda fact: fact["native_type"] in STAGES,
    "which50": lambda fact: fact["native_type"] == "Email",
    "capillary": lambda fact: fact["native_type"].lower() in ("email", "emailbulk"),
    "luminate_online": lambda _: False,
}


@pytest.fixture(scope="module")
def truth(built):
    """The furthest stage of each e-mail with each contact by the sandbox's own facts, by vendor."""
    found = {}
    for name, is_email in EMAILS.items():
        url = f"{built.sandbox.url}/_sandbox/facts/{name}"
        lines = requests.get(url, params={"start": "2026-01-01", "end": "2026-01-08"}, timeout=60).text.splitlines()
        stages = found.setdefault(name, {})
        for fact in filter(is_email, map(json.loads, lines)):
            key = fact["contact_id"], fact["campaign_id"], fact["message_id"] or fact["interaction_id"]
            word = fact["native_type"] if name == "dynamics_marketing" else fact["status"]
            stages.setdefault(key, []).append(STAGES.get(word, 0))
    return found


def test_one_funnel_counts_every_vendor(ask, truth):
    ask("messages")
    rows = {row.pop("vendor"): row for row in ask("funnel")}
    for name, messages in truth.items():
        furthest = [max(stages) for stages in messages.values()]
        wanted = {
            stage: sum(one >= n for one in furthest)
            for n, stage in enumerate(("sent", "delivered", "opened", "clicked"), start=1)
        }
        assert rows.get(name, dict.fromkeys(wanted, 0)) == wanted
        assert name == "luminate_online" or wanted["opened"] > 0


def test_opens_by_campaign(ask, truth):
    ask("messages")
    rows = ask("campaigns")
    for name in EMAILS:
        opened = [max(stages) >= 3 for (_, campaign, _), stages in truth[name].items() if campaign]
        assert sum(row["opened"] for row in rows if row["vendor"] == name) == sum(opened)
    assert sum(row["sent"] for row in rows) > 0
    assert all(row["people"] <= row["opened"] <= row["sent"] for row in rows)


def test_days_and_channels(ask, built):
    rows = ask("days")
    total = sum(built.sandbox.oracle(name, "2026-01-01", "2026-01-08").interactions for name in VENDORS)
    assert sum(row["interactions"] for row in rows) == total
    assert {str(row["day"]) for row in rows} == {f"2026-01-0{day}" for day in range(1, 8)}
    assert {"email", "sms", "form"} <= {row["channel"] for row in rows}


def test_how_late_rows_were_read(ask, database):
    rows = ask("late")
    again = [row for row in rows if row["days_later"] == 6]
    # The 3rd was read again on the 9th; the 2nd was read on the 8th.
    third, second = (
        count_rows(
            database, f"SELECT count(*) FROM interactions WHERE CAST(occurred_at AT TIME ZONE 'UTC' AS DATE) = '{day}'"
        )
        for day in ("2026-01-03", "2026-01-02")
    )
    assert sum(row["interactions"] for row in again) == third + second
    assert not [row for row in rows if row["days_later"] == 5]


def test_a_field_without_a_column(ask):
    rows = ask("attributes")
    assert [row["domain"] for row in rows if row["domain"]]


def test_the_lake_without_a_database(ask, built):
    rows = ask("lake")
    assert {row["vendor"]: row["interactions"] for row in rows} == {
        name: built.sandbox.oracle(name, "2026-01-01", "2026-01-08").interactions for name in VENDORS
    }


def test_the_digest_of_a_table_is_the_oracles(tools, built, monkeypatch, capsys):
    [snippet] = [block for block in tools.blocks("python") if block.mark == "snippet: digest"]
    monkeypatch.chdir(built.folder)
    exec(compile(snippet.text, snippet.name, "exec"), {})
    truth = built.sandbox.oracle("which50", "2026-01-01", "2026-01-08")
    assert capsys.readouterr().out.split() == [str(truth.interactions), truth.digest]
