"""A request for a person is answered from the lake only if that has all that the vendor has."""

import json
from datetime import timedelta

import pytest
from tables_rig import DAY, FIRST, build_rows, day, row

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.extract.reopened import find_reopened
from airflow_provider_interactions.extract.tables import land_tables
from airflow_provider_interactions.lake.memory import open_memory_lake
from airflow_provider_interactions.person.from_lake import land_from_lake
from airflow_provider_interactions.window import Window

PEOPLE = [Contact("p2", "contact"), Contact("p1", "contact"), Contact("p9", "contact")]


@pytest.fixture
def filled_rig(rig):
    """Three days in the lake, with a row that has no instant."""
    rows = [row(f"k{n}", FIRST + n * timedelta(hours=5), person=f"p{n % 3}") for n in range(14)]
    rig.disk.add("Opened", build_rows(*rows, row("undated", None, person="p1")))
    rig.disk.add("Sent", build_rows(*rows))
    for n in range(3):
        rig.run(day(n))
    find_reopened(rig.job(day(3)))
    return rig


def ask(rig, window, land):
    with open_memory_lake() as memory:
        job = rig.job(window, PEOPLE, keeps="undated")
        job = type(job)(**{**{name: getattr(job, name) for name in job.__slots__}, "lake": memory})
        found = land(job)
        if found is None:
            return None
        rows = [
            (one["contact_id"], one["asked_type"], one["occurred_at"], json.loads(one["payload"])["IdempotencyId"])
            for one in type(rig)(rig.disk, memory, rig.vendor).records(found)
        ]
        assert [who for who, *_ in rows] == sorted((who for who, *_ in rows), reverse=True)  # in the job's order
        return sorted(map(repr, rows)), found.counts.ok, found.counts.empty


def from_lake(rig, window):
    return ask(rig, window, lambda job: (found := land_from_lake(rig.lake, job)) and found.manifest)


@pytest.mark.parametrize(
    "window", [day(0), Window(FIRST, FIRST + 3 * DAY), Window(FIRST + timedelta(hours=7), FIRST + timedelta(hours=40))]
)
def test_the_lake_says_what_the_vendor_says(filled_rig, window):
    assert from_lake(filled_rig, window) == ask(filled_rig, window, lambda job: land_tables(job, "raw"))


@pytest.mark.parametrize("window", [Window(FIRST - DAY, FIRST + DAY), Window(FIRST, FIRST + 4 * DAY), day(5)])
def test_a_gap_is_for_the_vendor(filled_rig, window):
    assert from_lake(filled_rig, window) is None


def test_a_window_that_waits_to_be_read_again_is_for_the_vendor(filled_rig):
    filled_rig.disk.add("Opened", build_rows(row("late", FIRST + timedelta(hours=1))))
    find_reopened(filled_rig.job(day(3)))
    assert from_lake(filled_rig, day(0)) is None
    assert from_lake(filled_rig, day(1)) is not None
