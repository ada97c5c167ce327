"""What an erasure would do, who may be erased, what its receipt looks like, and who is refused afterwards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.commit import commit_window
from airflow_provider_interactions.extract.outcomes import Outcome, count_outcomes
from airflow_provider_interactions.extract.raw_writer import RawWriter
from airflow_provider_interactions.lake.keys import HashKey, read_hash_keys
from airflow_provider_interactions.lake.manifest import Counts
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.lake.suppression import find_entry, lift_suppression, read_suppression, suppress
from airflow_provider_interactions.normalize.identity_map import COLUMNS, scan_file
from airflow_provider_interactions.normalize.policy import Key
from airflow_provider_interactions.person.erased import refuse_erased
from airflow_provider_interactions.person.erasure import erase_people, read_kept_people
from airflow_provider_interactions.person.erasure_plan import (
    check_people,
    collect_people,
    describe_plan,
    digest_people,
    plan_erasure,
)
from airflow_provider_interactions.person.gone import find_gone
from airflow_provider_interactions.person.identities import Identity, Sought, find_identities, refuse_shared
from airflow_provider_interactions.person.receipt import HashedPerson, Receipt
from airflow_provider_interactions.person.receipt_page import write_receipt_page
from airflow_provider_interactions.shell.connections import Connection
from airflow_provider_interactions.vendors import VENDORS
from airflow_provider_interactions.window import Window

KEY = HashKey(b"k" * 32)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VENDOR = "capillary"


@pytest.fixture
def lake(tmp_path):
    return replace(Lake.at(str(tmp_path / "lake")), keys=lambda: [KEY])


def land(lake, day, outcomes, account="acme", at=None):
    """A window of one day in which each contact has an outcome and no record."""
    place = WindowPaths(VENDOR, account, Window.of(f"2026-01-{day:02}", f"2026-01-{day + 1:02}"))
    rows = [Outcome(name, "mobile", word, 0, 1, None) for name, word in outcomes.items()]
    with RawWriter(lake, place, Checkpoint(extracted_at=at or NOW + day * DAY)) as writer:
        for row in rows:
            writer.add_outcome(row)
        batch = writer.finish(count_outcomes(rows) + Counts(requests=len(rows)))
    return commit_window(lake, [batch])


class TestGone:
    """Contacts that a vendor no longer has."""

    def test_the_newest_answer_of_a_contact_counts(self, lake):
        land(lake, 1, {"1": "deleted", "2": "deleted", "3": "ok", "4": "not_found", "5": "deleted"})
        land(lake, 2, {"1": "deleted", "2": "empty", "3": "deleted", "4": "failed", "5": "not_found"})
        assert find_gone(lake, VENDOR, ["deleted"]) == [Contact("1", "mobile"), Contact("3", "mobile")]
        assert {one.id for one in find_gone(lake, VENDOR, ["deleted", "not_found"])} == {"1", "3", "4", "5"}

    def test_newest_is_what_was_asked_last_and_not_the_last_window(self, lake):
        land(lake, 2, {"1": "ok"})
        land(lake, 1, {"1": "deleted"}, at=NOW + 9 * DAY)
        assert [one.id for one in find_gone(lake, VENDOR, ["deleted"])] == ["1"]

    def test_windows_before_the_last_ones_do_not_count(self, lake):
        land(lake, 1, {"1": "deleted"})
        land(lake, 2, {"2": "deleted"})
        assert [one.id for one in find_gone(lake, VENDOR, ["deleted"], windows=1)] == ["2"]

    def test_another_account_still_has_the_contact(self, lake):
        land(lake, 1, {"1": "deleted", "2": "deleted"})
        land(lake, 1, {"1": "ok"}, account="other")
        assert [one.id for one in find_gone(lake, VENDOR, ["deleted"])] == ["2"]

    def test_whoever_was_erased_is_no_candidate_again(self, lake):
        land(lake, 1, {"1": "deleted", "2": "deleted"})
        suppress(lake, KEY, VENDOR, [("mobile", "1")])
        assert [one.id for one in find_gone(lake, VENDOR, ["deleted"])] == ["2"]

    def test_too_many_are_a_mistake(self, lake):
        land(lake, 1, {"1": "deleted", "2": "deleted"})
        with pytest.raises(ConfigError, match=r"has 2 contacts with the outcome deleted, .* 1 at most"):
            find_gone(lake, VENDOR, ["deleted"], most=1)

    @pytest.mark.parametrize("word", ["ok", "empty", "failed", "x"])
    def test_other_outcomes_open_no_erasure(self, lake, word):
        with pytest.raises(ConfigError, match=f"cannot begin with the outcome {word}"):
            find_gone(lake, VENDOR, ["deleted", word])


class TestPeople:
    """Who is erased."""

    @pytest.mark.parametrize("name", VENDORS)
    @pytest.mark.parametrize("text", ["a" * 40, "0123456789ABCDEF" * 4, f"hmac:2026:{'a' * 64}", f" {'b' * 128} "])
    def test_a_hash_is_nobodys_identifier(self, name, text):
        with pytest.raises(ConfigError, match="Contact 1 looks like a hash") as refused:
            check_people(VENDORS[name], [text], None)
        assert text.strip() not in str(refused.value)

    @pytest.mark.parametrize("name", [name for name in VENDORS if "email" in VENDORS[name].about.person_kinds])
    def test_an_address_has_an_at_sign_whatever_the_vendor_takes(self, name):
        with pytest.raises(ConfigError, match=r"Contact 2 (is not a valid email|of the list cannot be used)"):
            check_people(VENDORS[name], ["a@b.example", "someone"], "email")

    def test_of_one_account_or_of_all(self, lake):
        one = Identity(VENDOR, "acme", Contact("1", "mobile"))
        assert collect_people(lake, [one, one]) == {VENDOR: [Contact("1", "mobile")]}
        land(lake, 1, {"1": "ok"})
        assert collect_people(lake, [one]) == {VENDOR: [one.contact]}
        land(lake, 1, {"1": "ok"}, account="other")
        with pytest.raises(ConfigError, match="has 1 other account of that vendor"):
            collect_people(lake, [one])
        assert collect_people(lake, [one], all_accounts=True) == {VENDOR: [one.contact]}
        assert collect_people(lake, [one._replace(account=None)]) == {VENDOR: [one.contact]}


def write_map(tmp_path, rows):
    path = tmp_path / "map.parquet"
    pq.write_table(pa.table([pa.array(list(column)) for column in zip(*rows, strict=True)], COLUMNS), path)
    return scan_file(LocalFileSystem(), str(path))


@pytest.mark.parametrize(
    ("theirs", "shared"),
    [
        (("capillary", "", "email", "A@b.example"), True),
        (("capillary", "acme", "email", "a@B.example"), True),
        (("capillary", "", "external_id", "a@b.example"), False),
        (("which50", "", "", "a@b.example"), False),
        (("capillary", "", "email", "b@b.example"), False),
    ],
)
def test_identifiers_of_two_persons(tmp_path, theirs, shared):
    scan = write_map(tmp_path, [("p1", "capillary", "", "email", "a@b.example"), ("p2", *theirs)])
    mine = find_identities(scan, Sought(person_id="p1"))
    if not shared:
        refuse_shared(scan, mine)
        return
    with pytest.raises(ConfigError, match=r"in rows of another person in the map of identities, too \(capillary 1\)"):
        refuse_shared(scan, mine)


def test_accounts_keep_equal_identifiers_apart(tmp_path):
    scan = write_map(tmp_path, [("p1", "capillary", "one", "", "123"), ("p2", "capillary", "two", "", "123")])
    refuse_shared(scan, find_identities(scan, Sought(person_id="p1")))


class TestPlan:
    """What it would do."""

    def test_it_counts_and_names_nobody(self, lake):
        land(lake, 1, {"919999999999": "ok", "918888888888": "empty"})
        people = check_people(VENDORS[VENDOR], ["919999999999"], None)
        plan = plan_erasure(lake, people, ["warehouse.interactions"])
        text = "\n".join(describe_plan(plan))
        assert text.splitlines() == [
            "capillary: 1 mobile. Accounts: acme.",
            "capillary: rows that name them: 1 in raw.",
            "Tables: warehouse.interactions.",
        ]
        assert "919999999999" not in text + str(plan)

    def test_nobodys_identifier_and_no_table_are_said(self, lake):
        plan = plan_erasure(lake, {VENDOR: [Contact("919999999999", "mobile")]})
        text = "\n".join(describe_plan(plan))
        assert "none, so nothing but the suppression list will change" in text
        assert "Tables: none" in text

    def test_former_erasures_and_pseudonyms_are_counted(self, lake):
        key, contact = Key("2026", b"s" * 32), Contact("919999999999", "mobile")
        land(lake, 1, {key.hash(contact.id.encode()): "ok"})
        suppress(lake, KEY, VENDOR, [(contact.kind, contact.id)])
        assert plan_erasure(lake, {VENDOR: [contact]}).vendors[0].rows == {}
        [planned] = plan_erasure(lake, {VENDOR: [contact]}, (), [key]).vendors
        assert (planned.rows, planned.suppressed) == ({"raw": 1}, 1)

    def test_it_needs_the_key_and_its_digest_is_of_these_people(self, lake):
        with pytest.raises(ConfigError, match="No key for hashes"):
            plan_erasure(replace(lake, keys=None), {VENDOR: [Contact("1", "mobile")]})
        one, two = Contact("1", "mobile"), Contact("2", "mobile")
        digests = [digest_people(KEY, people) for people in ({VENDOR: [one, two]}, {VENDOR: [two, one]})]
        assert digests[0] == digests[1]
        others = ({VENDOR: [one]}, {VENDOR: [replace(one, kind="email"), two]}, {"which50": [one, two]})
        assert digests[0] not in [digest_people(KEY, people) for people in others]
        assert digests[0] != digest_people(HashKey(b"x" * 32), {VENDOR: [one, two]})


def test_whoever_was_erased_is_refused_until_the_suppression_is_lifted(lake):
    gone, stays = Contact("919999999999", "mobile"), Contact("918888888888", "mobile")
    refuse_erased(lake, VENDOR, [gone, stays])
    erase_people(lake, {VENDOR: [gone]}, approved_by="Ada", name="mine", now=NOW)
    refuse_erased(lake, VENDOR, [stays])
    with pytest.raises(ConfigError, match=r"Contact 7 of capillary was erased on 2026-02-01 .* \(receipt mine\)") as no:
        refuse_erased(lake, VENDOR, [stays, gone], [4, 7])
    assert gone.id not in str(no.value)
    assert lift_suppression(lake, VENDOR, gone.kind, gone.id)
    refuse_erased(lake, VENDOR, [gone])


def test_entries_of_former_versions_still_count(lake):
    suppress(lake, KEY, VENDOR, [("mobile", "1")])
    [path] = lake.list_files("suppression")
    lake.publish(path, {})
    assert find_entry(lake, read_suppression(lake, VENDOR), "mobile", "1").erased_at is None
    with pytest.raises(ConfigError, match="Contact 1 of capillary was erased and is on the suppression list"):
        refuse_erased(lake, VENDOR, [Contact("1", "mobile")])


def test_an_erasure_keeps_its_list_until_it_is_complete(lake):
    people = {VENDOR: [Contact("919999999999", "mobile")]}
    land(lake, 1, {"919999999999": "ok"})

    class Refusing:
        """A target that refuses."""

        def erase(self, *_):
            assert read_kept_people(lake, "mine") == people
            raise ConfigError("no")

        def describe(self):
            return "", "table"

    with pytest.raises(ConfigError, match="refused the erasure"):
        erase_people(lake, people, [Refusing()], approved_by="Ada", name="mine", keep=True)
    assert read_kept_people(lake, "mine") == people
    assert erase_people(lake, people, approved_by="Ada", name="mine", keep=True).state == "complete"
    assert read_kept_people(lake, "mine") is None
    assert not [path for path in lake.list_files("") if path.startswith("erasures")]


@pytest.mark.parametrize("state", ["running", "complete", "found", "failed"])
def test_the_page_of_a_receipt_says_all_and_escapes_it(state):
    receipt = Receipt(
        name="mine",
        state=state,
        approved_by="<script>Ada</script>",
        key_id="abc",
        people=(HashedPerson("capillary", "mobile", "f" * 64),),
        started_at=NOW,
        ended_at=None if state == "running" else NOW,
        erased={"raw": 12_345, "history": 0},
        found={"raw": 3} if state == "found" else {},
        failures=("window <b>: it cannot be read",) if state == "failed" else (),
        searched=7,
    )
    page = write_receipt_page(receipt)
    assert "<script" not in page
    assert "&lt;script&gt;Ada" in page
    for text in ("12,345", "history", "f" * 64, "Capillary", "2026-02-01 00:00:00 UTC", f"<bdi>{state}</bdi>"):
        assert text in page
    assert ("window &lt;b&gt;: it cannot be read" in page) == (state == "failed")
    assert ("No identifier was found." in page) == (state != "found")


@pytest.mark.parametrize(
    ("former", "message"),
    [(f'"{"x" * 32}"', "is not a list"), ('{"a": 1}', "is not a list"), ('["short"]', "Give at least 32 random bytes")],
)
def test_former_keys_are_a_list(former, message):
    def read(text):
        fields = {"conn_id": "keys", "conn_type": "generic", "password": "k" * 32}
        return read_hash_keys(Connection(**fields, extra=f'{{"former": {text}}}'))

    assert [key.id for key in read(f'["{"x" * 32}"]')] == [KEY.id, HashKey(b"x" * 32).id]
    with pytest.raises(ConfigError, match=message):
        read(former)
