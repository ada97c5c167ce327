"""The models' rows against counts that Python makes from the lake's files, on each database."""

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime

import duckdb
import pytest

from airflow_provider_interactions.schema import CANONICAL, KEY
from airflow_provider_interactions.vendors import VENDORS
from tests.models.conftest import PROJECT, REPOSITORY

MESSAGE_CHANNELS = {"email", "sms", "whatsapp", "line", "zalo", "viber", "push"}
STAGES = {"sent": 1, "bounced": 1, "delivered": 2, "opened": 3, "clicked": 4}
COUNTS = ("sent", "delivered", "opened", "clicked")
RATES = {
    "delivery_rate": ("delivered", "sent"),
    "open_rate": ("opened", "delivered"),
    "click_rate": ("clicked", "delivered"),
    "click_to_open_rate": ("clicked", "opened"),
    "bounce_rate": ("bounced", "sent"),
    "unsubscribe_rate": ("unsubscribed", "people"),
}


def name_person(row):
    return f"{row['vendor']}/{row['account']}/{row['contact_id']}"


def find_stage(row):
    return STAGES.get(row["action"], 0) if row["channel"] in MESSAGE_CHANNELS else 0


def find_day(row):
    return row["occurred_at"].astimezone(UTC).date()


def group_messages(rows):
    """The rows of each message of each contact."""
    found = defaultdict(list)
    for row in rows:
        if row["channel"] in MESSAGE_CHANNELS:
            key = ("vendor", "account", "contact_id", "channel", "campaign_id")
            found[*(row[name] for name in key), row["message_id"] or row["interaction_id"]].append(row)
    return list(found.values())


def count_funnel(messages):
    stages = [max(map(find_stage, message)) for message in messages]
    counts = {name: sum(stage >= n for stage in stages) for n, name in enumerate(COUNTS, start=1)}
    return counts | {"bounced": sum(any(row["action"] == "bounced" for row in message) for message in messages)}


def divide(counts, rate):
    part, whole = (counts[name] for name in RATES[rate])
    return round(part / whole, 6) if whole else None


def read(dbt, model, columns):
    """A model's rows as tuples; numbers of any kind as Python's."""
    rows = dbt.engine.query(f"SELECT {', '.join(columns)} FROM {model}")
    return sorted((tuple(simplify(row[name], name) for name in columns) for row in rows), key=repr)


def simplify(value, name):
    if value is None or name not in {*RATES, *COUNTS, "bounced", "unsubscribed", "people", "interactions"}:
        return value.astimezone(UTC) if isinstance(value, datetime) else value
    return round(float(value), 6) if name in RATES else int(value)


def expect(rows, columns):
    return sorted((tuple(row[name] for name in columns) for row in rows), key=repr)


def test_dbt_sends_no_usage_statistics(built):
    assert built.read_statuses()
    assert not (PROJECT / ".user.yml").exists()  # dbt makes it as soon as it sends any


def test_staging_has_every_row_and_column_as_it_was_loaded(built, rows):
    columns = [name for name in CANONICAL.names if name not in ("attributes", "person_id")]
    assert read(built, "stg_interactions__interactions", columns) == expect(rows, columns)
    [row] = built.engine.query("SELECT * FROM stg_interactions__interactions LIMIT 1")
    assert list(row) == CANONICAL.names


def test_events_know_their_day_their_message_and_its_stage(built, rows):
    columns = [*KEY, "person_id", "date_day", "event_name", "message_key", "stage", "is_message"]
    expected = [
        row
        | {
            "person_id": name_person(row),
            "date_day": find_day(row),
            "event_name": f"{row['channel']}_{row['action']}",
            "is_message": row["channel"] in MESSAGE_CHANNELS,
            "message_key": (row["message_id"] or row["interaction_id"]) if row["channel"] in MESSAGE_CHANNELS else None,
            "stage": find_stage(row),
        }
        for row in rows
    ]
    assert read(built, "interactions__events", columns) == expect(expected, columns)
    assert {row["stage"] for row in expected} == {0, 1, 2, 3, 4}


def test_a_timeline_is_numbered_in_order_of_time(built, rows):
    found = defaultdict(list)
    for row in built.engine.query("SELECT * FROM interactions__person_timeline ORDER BY person_id, event_number"):
        found[row["person_id"]].append(row)
    ids = {person: Counter(row["interaction_id"] for row in events) for person, events in found.items()}
    expected = defaultdict(Counter)
    for row in rows:
        expected[name_person(row)][row["interaction_id"]] += 1
    assert ids == expected
    for events in found.values():
        times = [row["occurred_at"] for row in events]
        assert times == sorted(times)
        assert [row["previous_occurred_at"] for row in events] == [None, *times[:-1]]
        assert [row["event_number"] for row in events] == list(range(1, len(events) + 1))


def list_campaigns(rows):
    """The rows of interactions__campaigns."""
    key = ("vendor", "account", "channel", "campaign_id")
    groups = defaultdict(list)
    for message in group_messages(rows):
        if message[0]["campaign_id"] is not None:
            groups[tuple(message[0][name] for name in key)].append(message)
    left = {(row["campaign_id"], name_person(row)) for row in rows if row["action"] == "unsubscribed"}
    for group, messages in groups.items():
        stages = [(name_person(message[0]), max(map(find_stage, message))) for message in messages]
        people = {person for person, stage in stages if stage >= 1}
        times = [min(row["occurred_at"] for row in message) for message in messages]
        names = [row["campaign_name"] for message in messages for row in message if row["campaign_name"] is not None]
        yield {
            **dict(zip(key, group, strict=True)),
            **count_funnel(messages),
            "campaign_name": max(names, default=None),
            "first_message_at": min(times),
            "last_message_at": max(times),
            "people": len(people),
            "people_opened": len({person for person, stage in stages if stage >= 3}),
            "unsubscribed": sum((group[-1], person) in left for person in people),
        }


def test_campaigns_are_counted_as_python_counts_them(built, rows):
    expected = [row | {rate: divide(row, rate) for rate in RATES} for row in list_campaigns(rows)]
    columns = list(expected[0])
    assert read(built, "interactions__campaigns", columns) == expect(expected, columns)
    [row] = built.engine.query("SELECT * FROM interactions__campaigns LIMIT 1")
    assert set(row) == set(columns)
    for count in (*COUNTS, "bounced", "unsubscribed", "people_opened"):
        assert sum(row[count] for row in expected) > 0, f"the week has nothing to count in {count}"


def list_days(rows):
    """The rows of interactions__daily_engagement."""
    key = ("vendor", "account", "channel")
    days, sent = defaultdict(list), defaultdict(list)
    for row in rows:
        days[find_day(row), *(row[name] for name in key)].append(row)
    for message in group_messages(rows):
        sent[min(map(find_day, message)), *(message[0][name] for name in key)].append(message)
    for group, events in days.items():
        yield {
            **dict(zip(("date_day", *key), group, strict=True)),
            **count_funnel(sent[group]),
            "interactions": len(events),
            "people": len(set(map(name_person, events))),
            "unsubscribed": sum(row["action"] == "unsubscribed" for row in events),
        }


def test_days_are_counted_as_python_counts_them(built, rows):
    rates = ("open_rate", "click_rate")
    expected = [row | {rate: divide(row, rate) for rate in rates} for row in list_days(rows)]
    columns = list(expected[0])
    assert read(built, "interactions__daily_engagement", columns) == expect(expected, columns)
    [row] = built.engine.query("SELECT * FROM interactions__daily_engagement LIMIT 1")
    assert set(row) == set(columns)
    assert {row["vendor"] for row in expected} == set(VENDORS)


@pytest.fixture(scope="module")
def queries(lake):
    """The results of the documentation's own queries, on the DuckDB file."""
    page = (REPOSITORY / "docs/table.md").read_text()
    found = dict(re.findall(r"<!-- query: (\w+) -->\n```sql\n(.*?)```", page, re.DOTALL))
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{lake}/interactions.duckdb' AS loaded (READ_ONLY)")
        connection.execute("CREATE VIEW interactions AS FROM loaded.interactions")
        connection.execute(found["messages"])
        return {
            name: connection.sql(found[name]).to_arrow_table().to_pylist() for name in ("funnel", "campaigns", "days")
        }


def test_the_funnel_is_that_of_the_documentation(built, queries):
    sums = ", ".join(f"CAST(sum({count}) AS INTEGER) AS {count}" for count in COUNTS)
    model = f"SELECT vendor, {sums} FROM interactions__daily_engagement WHERE channel = 'email' GROUP BY vendor"
    assert sorted(built.engine.query(model), key=repr) == sorted(queries["funnel"], key=repr)


def test_opens_by_campaign_are_those_of_the_documentation(built, queries):
    model = """
        SELECT vendor, campaign_id, campaign_name AS name, CAST(sent AS INTEGER) AS sent,
               CAST(opened AS INTEGER) AS opened, CAST(people_opened AS INTEGER) AS people
        FROM interactions__campaigns WHERE channel = 'email'
    """
    found, expected = built.engine.query(model), queries["campaigns"]
    nameless = [{**row, "name": None} for row in found], [{**row, "name": None} for row in expected]
    assert sorted(nameless[0], key=repr) == sorted(nameless[1], key=repr)  # a campaign may have had several names


def test_days_are_those_of_the_documentation(built, queries):
    model = """
        SELECT date_day AS day, channel, CAST(sum(interactions) AS INTEGER) AS interactions
        FROM interactions__daily_engagement GROUP BY date_day, channel
    """
    assert sorted(built.engine.query(model), key=repr) == sorted(queries["days"], key=repr)
