"""What every vendor must do, checked against the sandbox's oracle: it knows what exists, and shares no code with it."""

import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_interactions.errors import AuthRejected, ConfigError, InteractionsError, Stalled, Unavailable
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

LIMITS = Limits(timeout=10.0, first_wait=0.005, last_wait=0.01, rate=RateTuning(first_rate=UNLIMITED))
TICK = timedelta(microseconds=1)


def test_every_vendor_of_the_registry_is_tested(subjects):
    assert {subject.case.vendor for subject in subjects.values()} == set(VENDORS)


@pytest.mark.variants
def test_every_interaction_arrives_once_and_unchanged(subject):
    """The digest covers key, instant, type, columns and every field the vendor sent, unknown ones included."""
    outcome = subject.run()
    assert outcome.totals == tuple(subject.ask_oracle())
    counts = outcome.manifest.counts
    assert counts.canonical > 20
    assert counts.rejected == 0
    assert counts.landed == counts.fetched == counts.received - counts.outside == counts.canonical + counts.repeated


def test_no_key_comes_twice(subject):
    rows = subject.baseline.rows()
    assert len({(row["account"], row["interaction_id"]) for row in rows}) == len(rows)
    assert {(row["vendor"], row["account"]) for row in rows} == {(subject.case.vendor, "acme")}


def read_version(row):
    """The key of a row and its revision, -1 if it has none."""
    revision = row.get("revision")
    return row["interaction_id"], -1 if revision is None else revision


def test_an_instant_on_the_boundary_belongs_to_the_later_window(subject):
    instants = sorted(row["occurred_at"] for row in subject.baseline.rows())
    for at in {instants[0], instants[len(instants) // 2]}:
        for window in (Window(at, at + TICK), Window(at - TICK, at)):
            assert subject.run(window=window).totals == tuple(subject.ask_oracle(window))
    assert subject.ask_oracle(Window(at, at + TICK)).interactions > 0


def test_the_parts_of_a_window_are_the_whole(subject):
    whole = subject.baseline
    parts = [subject.run("parts", window=part) for part in whole.raw.window.split(timedelta(hours=17))]
    landed = sorted(map(read_version, chain.from_iterable(part.rows() for part in parts)))
    assert len(set(landed)) == len(landed)
    # A vendor may move an interaction to another time. Then each part has its version, and the greatest one counts.
    assert sorted(dict(landed).items()) == sorted(map(read_version, whole.rows()))
    for part in parts:
        assert part.totals == tuple(subject.ask_oracle(part.raw.window))


def test_a_window_in_which_nothing_happened(subject):
    before = Window.of("2020-01-01", "2020-01-02")
    outcome = subject.run(window=before)
    assert (outcome.raw.files, outcome.manifest.files, outcome.manifest.counts.landed) == ((), (), 0)
    assert outcome.outcomes.keys() == {contact.id for contact in subject.contacts()}
    assert {"empty"} <= set(outcome.outcomes.values()) <= {"empty", "not_found", "deleted", "failed"}


def longest(subject):
    """The most records any one question is answered with."""
    sizes = {}
    for row in subject.baseline.rows():
        question = (row["contact_id"], row["native_type"]) if "types" in subject.case.options else row["contact_id"]
        sizes[question] = sizes.get(question, 0) + 1
    return max(sizes.values())


@pytest.mark.needs("pages")
def test_pages_of_any_size_hold_the_same(subject):
    most = longest(subject)
    assert most > 2
    for size in (most - 1, most, most + 1):
        assert subject.run(f"{size}", page_size=size).totals == tuple(subject.ask_oracle())


@pytest.mark.needs("pages")
def test_pages_of_one_record(subject):
    contact = max(subject.baseline.rows(), key=lambda row: row["contact_id"])["contact_id"]
    one = [found for found in subject.contacts() if found.id == contact]
    outcome = subject.run(page_size=1, contacts=one)
    expected = subject.sandbox.oracle(subject.case.vendor, *window_of(outcome), contact=contact)
    assert outcome.totals == tuple(expected)
    assert outcome.raw.counts.requests >= outcome.raw.counts.received


def window_of(outcome):
    return outcome.raw.window.start, outcome.raw.window.end


def test_a_vendor_that_asks_to_slow_down_is_waited_for(subjects):
    """All at once, since each takes its second."""
    rules = {}
    mains = [subject for subject in subjects.values() if not subject.case.variant]
    calls = {subject.name: subject.baseline.raw.counts.requests - subject.case.tokens for subject in mains}
    for subject in mains:
        subject.sandbox.reset()
    for subject in mains:
        # Near the end: what little was accepted before a refusal is how fast the run goes on.
        rule = subject.fault(kind="throttle", retry_after=1, after=calls[subject.name] - 2, times=1)
        rules.setdefault(id(subject.sandbox), (subject.sandbox, []))[1].append(rule)
    for sandbox, found in rules.values():
        sandbox.faults(found)
    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(lambda subject: subject.run(), mains))
    for subject, outcome in zip(mains, outcomes, strict=True):
        assert outcome.totals == tuple(subject.ask_oracle())
        if subject.case.people:  # a bulk vendor's storage is asked by a library that counts nothing
            assert (outcome.raw.counts.throttled, outcome.raw.counts.retries) == (1, 0)
        assert subject.stats["by_fault"] == {"throttle": 1}


FAULTS = [
    {"kind": "status", "status": 500},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "truncate", "variant": "chunked"},
    {"kind": "garbage", "variant": "gzip"},
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 200},
    {"kind": "status", "status": 503},
]


def test_faults_in_the_middle_change_nothing(subject):
    paging = {"page_size": 5} if subject.case.pages else {}
    # At most two in one try: a table is read from its start again.
    apart = max(1, subject.case.calls_each // 3)
    subject.sandbox.faults([subject.fault(**fault, after=1 + n * apart, times=1) for n, fault in enumerate(FAULTS)])
    outcome = subject.run(**paging, limits=replace(LIMITS, tries=len(FAULTS) + 1))
    assert outcome.totals == tuple(subject.ask_oracle())
    assert sum(subject.stats["by_fault"].values()) == len(FAULTS)
    if subject.case.people:  # a bulk vendor's storage is asked by a library that counts nothing
        assert outcome.raw.counts.retries == len(FAULTS)
        assert outcome.raw.counts.requests == subject.stats["requests"]


def test_a_fault_that_lasts_ends_the_run_and_leaves_no_file(subject):
    subject.faults(kind="status", status=500, after=2)
    with pytest.raises(Unavailable) as told:
        subject.run()
    assert told.value.retry
    assert str(told.value).startswith(f"{subject.case.vendor}: ")
    assert "window [2026-01-01T00:00:00Z, 2026-01-04T00:00:00Z)" in str(told.value)
    assert [path for path in subject.folder.rglob("*") if path.is_file()] == []


@pytest.mark.needs("tokens")
def test_tokens_that_expire_in_the_middle_are_replaced(subject):
    subject.faults(kind="expire_tokens", uses=2 * subject.case.calls_each)
    outcome = subject.run(concurrency=1)
    assert outcome.totals == tuple(subject.ask_oracle())
    assert subject.stats["tokens_issued"] > subject.case.tokens


@pytest.mark.needs("tokens")
def test_tokens_that_are_refused_for_good_cost_two(subject):
    subject.faults(kind="reject_tokens")
    with pytest.raises(AuthRejected):
        subject.run()
    assert subject.stats["tokens_issued"] == 2 * subject.case.tokens


def test_wrong_credentials_cost_one_request_and_end_the_run(subject):
    with pytest.raises(AuthRejected) as told:
        subject.run(credentials=subject.credentials(password="wrong"), concurrency=1)
    assert not told.value.retry
    assert subject.stats["requests"] == 1
    assert str(told.value).startswith(f"{subject.case.vendor}: ")
    assert "window [2026-01-01" in str(told.value)


@pytest.mark.needs("pages")
def test_a_cursor_that_repeats_ends_the_run(subject):
    subject.faults(kind="repeat_cursor")
    with pytest.raises(Stalled) as told:
        subject.run(page_size=2)
    assert "window [2026-01-01" in str(told.value)
    assert subject.stats["requests"] < 100


@pytest.mark.needs("pages")
def test_a_record_that_comes_on_two_pages_is_counted_and_kept_once(subject):
    before = subject.baseline.manifest.counts
    subject.faults(kind="duplicate", times=20)
    outcome = subject.run(page_size=3)
    counts = outcome.manifest.counts
    assert outcome.totals == tuple(subject.ask_oracle())
    assert counts.repeated - before.repeated == counts.landed - before.landed
    assert subject.stats["by_fault"]["duplicate"] > len(subject.contacts())


@pytest.mark.needs("people")
def test_a_contact_that_does_not_exist_is_noted_and_the_others_arrive(subject):
    before = subject.baseline
    outcome = subject.run(contacts=subject.contacts(subject.case.unknown)[::-1])
    assert outcome.totals == tuple(subject.ask_oracle())
    unknown = subject.contacts(subject.case.unknown)[-1].id
    assert outcome.outcomes == {**before.outcomes, unknown: "not_found"}
    assert outcome.manifest.counts.not_found == before.manifest.counts.not_found + 1


@pytest.mark.needs("people")
def test_a_contact_that_does_not_exist_can_end_the_run(subject):
    with pytest.raises(InteractionsError, match=subject.case.vendor):
        subject.run(contacts=subject.contacts(subject.case.unknown), on_missing="fail")


@pytest.mark.needs("people")
def test_a_list_that_nobody_is_on_fails_unless_allowed(subject):
    unknown = subject.contacts(subject.case.unknown)[-1:]
    for _ in range(2):  # a cleared task asks again
        with pytest.raises(ConfigError, match=r"does not know 1 of 1 contacts.*on_missing='allow'"):
            subject.run(contacts=unknown)
    assert subject.run(contacts=unknown, on_missing="allow").manifest.counts.not_found == 1


def test_a_second_run_gives_the_same_rows_in_any_batches(subject):
    first, second = subject.baseline, subject.run("second", batches=3)
    key = ("vendor", "account", "interaction_id")

    def sorted_rows(outcome):
        return sorted(outcome.rows(), key=lambda row: [row[name] for name in key])

    assert sorted_rows(second) == sorted_rows(first)
    assert second.outcomes == first.outcomes
    assert subject.run("third").raw.digest == first.raw.digest


def test_a_window_run_again_in_the_same_lake_leaves_its_own_files_only(subject):
    former = subject.run(batches=2)
    later = former.raw.extracted_at + timedelta(minutes=1)
    again = subject.run(batches=3, extracted_at=later)
    assert again.totals == tuple(subject.ask_oracle())
    root = subject.folder / "first"
    files = {str(path.relative_to(root)) for path in root.rglob("*.parquet")}
    kept = {name for name in files if name.startswith("history/")}
    assert files - kept == again.raw.paths | again.manifest.paths


FAILURES = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 400},
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 404, "message": "hush"},
    {"kind": "status", "status": 200, "body": "hush hush"},
    {"kind": "status", "status": 200, "body": "<hush>hush</hush>", "content_type": "text/xml"},
    {"kind": "html", "status": 200},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "garbage", "variant": "encoding"},
    {"kind": "redirect"},
    {"kind": "repeat_cursor"},
]


def everything_told(error):
    chain, texts = error, []
    while chain is not None:
        texts += [str(chain), repr(chain)]
        chain = chain.__cause__ if chain.__suppress_context__ or chain.__cause__ else chain.__context__
    return [*texts, "".join(traceback.format_exception_only(error))]


def test_nothing_secret_and_nobodys_data_is_told(subject, caplog):
    """Not in any log record at INFO or above, nor in any error, whatever goes wrong."""
    caplog.set_level(logging.INFO)
    rows = subject.baseline.rows()
    limits = replace(LIMITS, tries=2)
    credentials = subject.credentials()
    secrets = {credentials.password, "hush", *(contact.id for contact in subject.contacts())}
    secrets |= {quote(secret, safe="") for secret in secrets} | {quote_plus(secret) for secret in secrets}
    secrets |= {text for row in rows for text in (row["subject"], row["campaign_name"], row["message_id"]) if text}
    texts, paging = [], {"page_size": 2} if subject.case.pages else {}
    for number, fault in enumerate(FAILURES):
        subject.faults(**fault)
        try:
            extract(subject.job(f"failing {number}", concurrency=2, limits=limits, **paging))
        except InteractionsError as error:
            texts += everything_told(error)
    assert len(texts) > len(FAILURES)
    texts += [record.getMessage() for record in caplog.records]
    texts += [str(vars(record)) for record in caplog.records]
    told = "\n".join(texts)
    # Short words such as a number of one digit say nothing about anyone.
    assert not [secret for secret in secrets if len(secret) > 5 and secret in told]
    assert "Bearer" not in told
    assert "?" not in "".join(word for word in told.split() if word.startswith(("/", "http")))
