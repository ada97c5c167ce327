"""A repeat is found wherever the batches are cut, and nothing else is taken for one."""

from datetime import UTC, datetime
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.normalize.repeats import Deduplicator
from airflow_provider_interactions.schema import CANONICAL

AT = datetime(2026, 1, 1, tzinfo=UTC)

#: A contact's rows: key, subject (what lasts) and status (what may change).
contacts = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("12")), max_size=6), max_size=4
)


def build_rows(rows):
    values = {name: [None] * len(rows) for name in CANONICAL.names}
    values |= {
        "interaction_id": [key for _, key, _, _ in rows],
        "subject": [subject for _, _, subject, _ in rows],
        "status": [status for _, _, _, status in rows],
        "occurred_at": [AT] * len(rows),
        "channel": ["email"] * len(rows),
        "action": ["sent"] * len(rows),
        "attributes": ["{}"] * len(rows),
    }
    schema = pa.schema([field.with_nullable(True) for field in CANONICAL])
    return pa.RecordBatch.from_pydict({name: pa.array(values[name], schema.field(name).type) for name in values})


def judge_one_by_one(rows):
    """new, repeat or other: the plain rule, row by row."""
    first, found = {}, []
    for contact, key, subject, _ in rows:
        known = first.setdefault((contact, key), subject)
        is_new = not any(row[:2] == (contact, key) for row in rows[: len(found)])
        found.append("new" if is_new else "repeat" if known == subject else "other")
    return found


@given(contacts, st.sets(st.integers(0, 24)))
def test_repeats_are_the_same_wherever_batches_end(people, cuts):
    rows = [(f"c{n}", *row) for n, some in enumerate(people) for row in some]
    seen, found = Deduplicator(), []
    bounds = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    for start, end in pairwise(bounds):
        some = rows[start:end]
        judged = seen.compare(pa.array([contact for contact, *_ in some], pa.string()), build_rows(some))
        firsts, others = judged or (pa.array([True] * len(some)), pa.array([], pa.uint64()))
        words = ["new" if is_first else "repeat" for is_first in firsts.to_pylist()]
        for place in others.to_pylist():
            words[place] = "other"
        found += words
    assert found == judge_one_by_one(rows)
