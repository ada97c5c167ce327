"""The index of manifests on real object stores: whatever was published or removed, a look shows what is there."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_interactions.coverage.index import Trust
from airflow_provider_interactions.coverage.read import read_coverage
from airflow_provider_interactions.lake.manifest import Counts, File, Manifest
from airflow_provider_interactions.lake.paths import WindowPaths, name_index
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.window import Window

VENDOR, ACCOUNTS = "which50", ("acme", "b<b> c/d")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "publish", "remove", "forget", "damage", "look"]),
        st.sampled_from(ACCOUNTS),
        st.integers(0, 2),
        st.integers(0, 9),
    ),
    max_size=8,
)


def day(number):
    return Window(FIRST + timedelta(days=number), FIRST + timedelta(days=number + 1))


def publish(lake, account, window, rows):
    """A manifest as normalize would publish it. Those with the same number of digits have the same size."""
    counts = Counts(received=rows, fetched=rows, landed=rows, canonical=rows, contacts=1, ok=1)
    facts = {"vendor": VENDOR, "account": account, "window_start": window.start, "window_end": window.end}
    lake.publish(
        WindowPaths(VENDOR, account, window).manifest,
        Manifest(**facts, extracted_at=window.end, counts=counts, files=(File("a", rows, rows),)),
    )


def play(lake, steps):
    """Do the steps; what must be there afterwards."""
    expected = {}
    for step, account, number, rows in steps:
        if step == "publish":
            publish(lake, account, day(number), rows)
            expected[account, day(number)] = rows
        elif step == "remove":
            lake.remove([WindowPaths(VENDOR, account, day(number)).manifest])
            expected.pop((account, day(number)), None)
        elif step == "forget":
            lake.remove([name_index(VENDOR, account)])
        elif step == "damage":
            lake.write(name_index(VENDOR, account), bytes(rows))
        else:
            assert read(lake) == expected
    return expected


def read(lake):
    cells = read_coverage(lake, trust=Trust(grace=timedelta(0)))  # relies on each mark at once
    return {(cell.account, cell.window): cell.rows for cell in cells if cell.manifest}


@pytest.mark.one_of_each
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_look_shows_what_is_there(store, steps):
    lake = Lake.at(store.folder("index"))
    lake.remove_folder("manifests")
    lake.remove_folder("index")
    expected = play(lake, steps)
    for _ in range(2):  # the second by what the first has written
        assert read(Lake.at(store.folder("index"))) == expected
