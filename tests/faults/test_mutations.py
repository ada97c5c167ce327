"""No change of a good answer leaves a task green with fewer records, without a reject, an outcome or an error.

Seeded: the same changes in every run. ``python tests/faults/test_mutations.py "which50 json" 20000`` tries more.
"""

import json
import logging
import random
import sys
from dataclasses import replace

import mutated
import pytest
import requests
import rig
import stamina
from subjects import SUBJECTS, TYPES

from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.sandbox.mutations import Mutation, mutate

#: Changes of each subject's answers read without a socket, and sent by the sandbox.
COUNT, SENT = 700, 30
CONFIG = SandboxConfig(
    contacts=4,
    per_contact=10,
    start=rig.START,
    days=rig.DAYS,
    seed=7,
    options={"dynamics_marketing": {"types": TYPES}},
)


@pytest.fixture(scope="module")
def good():
    """A sandbox whose answers are good."""
    with serve(CONFIG) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _quiet():
    """Thousands of errors and rejects are meant to be: their warnings are not read."""
    silence()
    yield
    logging.disable(logging.NOTSET)
    stamina.instrumentation.set_on_retry_hooks(None)


def silence():
    """No line for each retry and reject."""
    logging.disable(logging.ERROR)
    stamina.instrumentation.set_on_retry_hooks(())


def find_failures(sandbox, name, first, count):
    """What went wrong, of so many changes."""
    recordings = mutated.record(sandbox, name)
    assert recordings
    judged = set()
    for recording, key, mutation in mutated.changes(recordings, first, count):
        once = recordings.index(recording), key, mutation.body
        if once in judged:  # several seeds make the same change
            continue
        judged.add(once)
        wrong = mutated.judge(recording, mutation, key)
        if wrong is not None:
            yield wrong, mutation


@pytest.mark.parametrize("name", SUBJECTS)
def test_no_change_of_an_answer_loses_a_record_in_silence(good, name):
    failures = list(find_failures(good, name, 0, COUNT))
    assert not failures, mutated.tell(failures)


@pytest.mark.parametrize("name", SUBJECTS)
def test_no_change_on_the_wire_loses_a_record_in_silence(good, name):
    """As above, with a real client and a real server, which changes one answer of each run."""
    failures = []
    [recording, *_] = mutated.record(good, name)
    for seed in range(SENT):
        number = seed % len(recording.changeable)
        rule = {"kind": "mutate", "seed": seed, "path": recording.subject.calls, "after": number, "times": 1}
        good.faults([rule])
        try:
            found = mutated.run(recording.subject, recording.job)
        except InteractionsError:
            continue
        mutation = mutate(recording.answers[recording.changeable[number]].body, seed)
        if mutated.compare(recording, mutation, found) == "lost":
            failures.append(("lost", mutation))
    good.reset()
    assert not failures, mutated.tell(failures)


def test_the_sandbox_changes_answers_as_the_seed_says(good):
    connection = good.connections["which50"]
    bodies = set()
    for _ in range(2):
        good.faults([{"kind": "mutate", "seed": 5, "path": "contactLists"}])
        signed = {"Authorization": f"Bearer {connection['password']}"}
        answer = requests.get(f"{connection['host']}/contactLists", headers=signed, timeout=5)
        assert answer.headers["X-Sandbox-Mutation"]
        bodies.add(answer.content)
        good.reset()
    assert len(bodies) == 1


def test_the_unchanged_answers_are_read_whole_from_the_recording(good):
    for name in SUBJECTS:
        for recording in mutated.record(good, name)[:1]:
            key = recording.changeable[0]
            found = mutated.replay(recording, key, recording.answers[key].body)
            assert found == recording.good


def test_the_judge_sees_a_record_that_is_gone(good):
    """Every subject's judge: a run with a row less is lost, one with a reject or a reason more is not."""
    for name in SUBJECTS:
        recording = mutated.record(good, name)[0]
        mutation = Mutation(0, "rename", "$", b"")
        rows = dict(recording.good.rows)
        (contact, _), _ = rows.popitem()
        fewer = mutated.Found(rows, recording.good.rejected, recording.good.outside)
        assert mutated.compare(recording, mutation, fewer) == "lost"
        assert mutated.compare(recording, mutation, replace(fewer, rejected=fewer.rejected + 1)) is None
        assert mutated.compare(recording, mutation, replace(fewer, reported=frozenset({contact}))) is None
        assert mutated.compare(recording, mutation, replace(fewer, outside=fewer.outside + 1)) == "lost"


def test_few_changes_are_excused(good):
    """Of the changes that are tried, those that leave a good answer are a small share, all named one by one."""
    for name, subject in SUBJECTS.items():
        tried = [mutation for _, _, mutation in mutated.changes(mutated.record(good, name), 0, 500)]
        excused = [one for one in tried if mutated.is_good_answer(subject, one)]
        assert len(excused) < 0.2 * len(tried), name
        assert not any("*" in one for one in subject.fewer), name


def test_changes_are_many_and_the_same_for_a_seed():
    body = json.dumps({"Data": json.dumps([{"Id": 1, "At": "2026-01-01"}]), "NextSkipToken": None}).encode()
    xml = b'<a xmlns="u"><b><c>1</c></b><b><c>2</c></b></a>'
    for text in (body, xml):
        found = [mutate(text, seed) for seed in range(400)]
        assert found == [mutate(text, seed) for seed in range(400)]
        assert len({(one.name, one.where) for one in found}) > 50
        assert sum(one.body == text for one in found) < 40


if __name__ == "__main__":
    chosen, number = sys.argv[1] if len(sys.argv) > 1 else "", int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    silence()
    begin = random.SystemRandom().randrange(2**40)
    with serve(CONFIG) as running:
        for one in SUBJECTS:
            if chosen in one:
                wrongs = list(find_failures(running, one, begin, number))
                print(f"{one}: {len(wrongs)} of {number} from seed {begin} on", mutated.tell(wrongs), sep="\n")
