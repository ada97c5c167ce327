"""The map of identities: it finds a person's identifiers, names nobody in an error, and is never loaded whole."""

import json
import re
from contextlib import suppress
from datetime import datetime

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, Unavailable
from airflow_provider_interactions.http.rate_tuning import UNLIMITED, RateTuning
from airflow_provider_interactions.http.retry import Limits
from airflow_provider_interactions.normalize.identity_map import COLUMNS, scan_file, scan_query
from airflow_provider_interactions.person import everywhere
from airflow_provider_interactions.person.everywhere import System, answer_person, match_accounts
from airflow_provider_interactions.person.identities import MOST_ROWS, Identity, Sought, find_identities
from airflow_provider_interactions.person.report import describe_person
from airflow_provider_interactions.person.request import check_request
from airflow_provider_interactions.sandbox import SandboxConfig, serve
from airflow_provider_interactions.vendors import VENDORS

FS = fsspec.filesystem("file")
GUID, OTHER = "5f0c1a34-9c1e-4b8e-8f6b-2d1d3a7c9e10", "00000000-0000-0000-0000-000000000001"
ANN = [
    ("p1", "dynamics_marketing", None, "contact_id", GUID),
    ("p1", "capillary", "eu", "mobile", "436601234567"),
    ("p1", "capillary", "eu", "email", "Ann@Example.org"),
    ("p1", "luminate_online", "", "", "1001"),
]
BOB = [("p2", "dynamics_marketing", None, None, OTHER), ("p2", "luminate_online", None, "email", "bob@example.org")]
FOUND = [
    Identity("dynamics_marketing", None, Contact(GUID, "contact_id")),
    Identity("luminate_online", None, Contact("1001", "cons_id")),
    Identity("capillary", "eu", Contact("436601234567", "mobile")),
    Identity("capillary", "eu", VENDORS["capillary"].contact("Ann@Example.org", "email")),
]


def make_table(rows):
    columns = zip(*rows, strict=True) if rows else [[] for _ in COLUMNS]
    return pa.table([pa.array(list(column), pa.string()) for column in columns], COLUMNS)


@pytest.fixture
def write(tmp_path):
    """Write a map in some format; returns its scan."""

    def written(rows, form="parquet"):
        table, path = make_table(rows), str(tmp_path / f"map.{form}")
        if form == "parquet":
            pq.write_table(table, path)
        elif form == "csv":
            pyarrow.csv.write_csv(table, path)
        elif form == "tsv":
            pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(delimiter="\t"))
        elif form == "folder":
            (tmp_path / "map.folder").mkdir()
            for n in range(table.num_rows):
                pq.write_table(table.slice(n, 1), f"{path}/{n}.parquet")
        else:
            batches = table.to_batches(max_chunksize=2)
            return scan_query(
                lambda: (
                    ([name.upper() for name in COLUMNS], [tuple(row.values()) for row in batch.to_pylist()])
                    for batch in batches
                )
            )
        return scan_file(FS, path)

    return written


@pytest.mark.parametrize("form", ["parquet", "csv", "tsv", "folder", "query"])
class TestOfEveryFormat:
    @pytest.mark.parametrize(
        "given",
        [
            {"person_id": "p1"},
            {"person_id": " p1 "},
            {"identifier": GUID},
            {"identifier": GUID.upper().replace("-", "")},
            {"identifier": "ann@example.org"},
            {"identifier": "436601234567", "vendor": "capillary", "kind": "mobile"},
            {"identifier": "1001", "kind": "cons_id"},
        ],
    )
    def test_a_person_is_found_by_id_and_by_any_identifier(self, write, form, given):
        assert find_identities(write(ANN + BOB, form), Sought(**given)) == FOUND

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"person_id": "p9"}, "has no row of this person_id"),
            ({"identifier": "nobody@example.org"}, "Nobody in the map of identities has this identifier. Check it"),
            ({"identifier": "1001", "vendor": "capillary"}, "Nobody .* has this identifier with this vendor or kind"),
            ({"identifier": "1001", "kind": "email"}, "The identifier is not a valid email"),
            ({"identifier": "x", "kind": "shoe_size"}, "no such kind of identifier. Use one of: con"),
            ({"identifier": "ann@example.org", "vendor": "which50", "kind": "email"}, "no such kind"),
            ({"identifier": "ab" * 32}, "looks like a digest. Give the identifier itself"),
        ],
    )
    def test_who_is_not_found_is_said_without_a_name(self, write, form, given, message):
        with pytest.raises(ConfigError, match=message) as failure:
            find_identities(write(ANN + BOB, form), Sought(**given))
        assert not [value for row in ANN for value in (row[0], row[4]) if value in str(failure.value)]


class TestTheMap:
    def test_an_identifier_of_two_persons_names_neither(self, write):
        shared = ("p2", *ANN[2][1:])
        with pytest.raises(ConfigError, match=r"rows of more than one person .* Give vendor and kind"):
            find_identities(write([*ANN, *BOB, shared]), Sought(identifier="ann@example.org"))

    def test_vendor_and_kind_tell_persons_with_one_identifier_apart(self, write):
        rows = [("p1", "luminate_online", None, "cons_id", "7"), ("p2", "luminate_online", None, "member_id", "7")]
        found = find_identities(write(rows), Sought(identifier="7", kind="member_id"))
        assert [one.contact.kind for one in found] == ["member_id"]

    def test_an_identifier_is_compared_as_its_vendor_spells_it(self, write):
        """Which50's identifiers differ by case; those of Dynamics do not."""
        rows = [("p1", "which50", None, None, "aB+/c=="), ("p2", "which50", None, None, "Ab+/c==")]
        found = find_identities(write(rows), Sought(identifier="aB+/c=="))
        assert [one.contact.id for one in found] == ["aB+/c=="]

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (
                ("p1", "acme", None, None, "secret-1"),
                "has an unknown vendor. Known are: dynamics_journeys, dynamics_marketing, ",
            ),
            (("p1", "which50", None, "email", "secret-1"), "at which50 has an unknown kind. Known are: contact_id"),
            (
                ("p1", "dynamics_marketing", None, None, "secret-1"),
                "identifier of this person at dynamics_marketing is not a valid contact_id",
            ),
            (
                ("p1", "dynamics_marketing", None, None, None),
                "identifier of this person at dynamics_marketing is not a valid contact_id",
            ),
        ],
    )
    def test_a_row_of_the_person_that_cannot_be_used_is_refused(self, write, row, message):
        with pytest.raises(ConfigError, match=f"{message}.*Correct the map") as failure:
            find_identities(write([*ANN, row]), Sought(person_id="p1"))
        assert "secret" not in str(failure.value)

    @pytest.mark.parametrize("row", [("p3", "acme", None, None, "x"), (None, "capillary", None, "email", "a@b.org")])
    def test_a_bad_row_of_somebody_else_stops_nothing(self, write, row):
        assert find_identities(write([*ANN, row]), Sought(person_id="p1")) == FOUND

    def test_a_row_twice_counts_once(self, write):
        assert find_identities(write([*ANN, *ANN]), Sought(person_id="p1")) == FOUND

    def test_one_person_id_for_everybody_is_a_mistake(self, write):
        rows = [("p1", "luminate_online", None, None, str(n)) for n in range(MOST_ROWS + 1)]
        with pytest.raises(ConfigError, match=f"more than {MOST_ROWS} rows of this person_id"):
            find_identities(write(rows), Sought(person_id="p1"))

    @pytest.mark.parametrize("given", [{}, {"person_id": "a", "identifier": "b"}])
    def test_a_person_is_given_in_one_way(self, given):
        with pytest.raises(ConfigError, match="Give either person_id or one identifier"):
            Sought(**given)

    def test_columns_may_stand_in_any_order_among_others(self, tmp_path):
        table = make_table(ANN).append_column("more", pa.array(range(len(ANN))))
        pq.write_table(table.select(table.column_names[::-1]), tmp_path / "map.parquet")
        assert find_identities(scan_file(FS, str(tmp_path / "map.parquet")), Sought(person_id="p1")) == FOUND

    def test_numbers_are_taken_as_text(self, tmp_path):
        plain = {"vendor": ["luminate_online"], "account": pa.nulls(1), "kind": ["cons_id"]}
        pq.write_table(pa.table({"person_id": [7], **plain, "identifier": [1001]}), tmp_path / "map.parquet")
        assert find_identities(scan_file(FS, str(tmp_path / "map.parquet")), Sought(person_id="7")) == FOUND[1:2]

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_odd_values_are_found_or_refused_but_never_crash(self, person, identifier):
        rows = [(person, "which50", None, None, identifier)]
        scan = scan_query(lambda: [(COLUMNS, rows)])
        for sought in (Sought(person_id=person), Sought(identifier=identifier)):
            with suppress(ConfigError):
                assert len(find_identities(scan, sought)) == 1


class TestFile:
    @pytest.mark.parametrize("ending", ["parquet", "csv"])
    def test_a_missing_map(self, tmp_path, ending):
        with pytest.raises(ConfigError, match=r"The map of identities does not exist\. Check its address"):
            find_identities(scan_file(FS, str(tmp_path / f"none.{ending}")), Sought(person_id="p1"))

    @pytest.mark.parametrize("ending", ["parquet", "csv"])
    @pytest.mark.parametrize("data", [b"\xff\xfe\x00secret", b"", b"secret\n1,2,3\n"])
    def test_a_file_of_another_format(self, tmp_path, ending, data):
        path = tmp_path / f"map.{ending}"
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=r"cannot be read as|has no column") as failure:
            find_identities(scan_file(FS, str(path)), Sought(person_id="p1"))
        assert "secret" not in str(failure.value)

    def test_a_missing_column(self, tmp_path):
        pq.write_table(pa.table({"person_id": ["p1"], "vendor": ["which50"]}), tmp_path / "map.parquet")
        with pytest.raises(ConfigError, match=r"has no column account, kind, identifier\. It needs: person_id, vendor"):
            find_identities(scan_file(FS, str(tmp_path / "map.parquet")), Sought(person_id="p1"))

    def test_columns_of_a_type_that_is_no_text(self, tmp_path):
        columns = {name: [{"a": 1}] if name == "person_id" else ["x"] for name in COLUMNS}
        pq.write_table(pa.table(columns), tmp_path / "map.parquet")
        with pytest.raises(ConfigError, match="all columns must be text or whole numbers"):
            find_identities(scan_file(FS, str(tmp_path / "map.parquet")), Sought(person_id="p1"))

    @pytest.mark.parametrize("form", ["parquet", "csv"])
    def test_memory_does_not_grow_with_the_map(self, tmp_path, form):
        peaks = []
        for parts in (8, 32):
            scan = watch(scan_file(FS, write_large(tmp_path / f"map{parts}.{form}", parts)), peaks)
            [found] = find_identities(scan, Sought(identifier="123456"))
            assert found.contact.id == "123456"
        small, large = max(peaks[:2]), max(peaks[2:])  # a search scans twice
        assert large < 2 * small + 1_000_000

    def test_a_scan_of_everything_would_be_noticed(self, tmp_path):
        """The test above can fail."""
        peaks = []
        for parts in (8, 32):
            path = write_large(tmp_path / f"map{parts}.parquet", parts)
            list(watch(lambda _, path=path: pq.read_table(path).to_batches(), peaks)(None))
        assert peaks[1] > 2 * peaks[0] + 1_000_000


PART = 50_000


def write_large(path, parts):
    """A map of many rows, each of a person of its own."""
    writer = None
    for start in range(0, parts * PART, PART):
        numbers = pa.array(range(start, start + PART)).cast(pa.string())
        names = [pa.repeat(pa.scalar(word, pa.string()), PART) for word in ("luminate_online", "", "cons_id")]
        part = pa.table([numbers, *names, numbers], COLUMNS)
        if writer is None:
            writer = (pq.ParquetWriter if path.suffix == ".parquet" else pyarrow.csv.CSVWriter)(str(path), part.schema)
        writer.write_table(part)
    writer.close()
    return str(path)


def watch(scan, peaks):
    """The same scan; appends the most memory that Arrow held meanwhile, in bytes."""

    def watch_memory(condition):
        before, high = pa.total_allocated_bytes(), 0
        for batch in scan(condition):
            high = max(high, pa.total_allocated_bytes() - before)
            yield batch
        peaks.append(high)

    return watch_memory


class TestAccounts:
    KEYS = (("capillary", "eu"), ("luminate_online", "charity"))

    def test_each_account_gets_its_identifiers_and_gaps_are_said(self):
        asked, gaps = match_accounts(FOUND, self.KEYS)
        assert {key: len(contacts) for key, contacts in asked.items()} == {self.KEYS[0]: 2, self.KEYS[1]: 1}
        assert gaps == [
            (
                "Dynamics 365 Marketing: 1 identifier in the map of identities was not used, because no connection of "
                "this request leads to its account."
            )
        ]

    def test_an_account_without_a_row_is_a_gap(self):
        asked, gaps = match_accounts(FOUND[:1], (("dynamics_marketing", "crm"), ("which50", "eu")))
        assert list(asked) == [("dynamics_marketing", "crm")]
        assert [gap.partition(",")[0] for gap in gaps] == [f"{VENDORS['which50'].title} was not asked"]

    def test_a_row_without_an_account_is_asked_for_everywhere(self):
        asked, _ = match_accounts(FOUND[1:2], (("luminate_online", "a"), ("luminate_online", "b")))
        assert len(asked) == 2

    def test_nothing_to_ask_is_an_error(self):
        with pytest.raises(ConfigError, match="No connection of this request leads to an account"):
            match_accounts(FOUND[2:], (("capillary", "us"),))


QUICK = Limits(
    timeout=5.0, tries=2, patience=1.0, first_wait=0.01, last_wait=0.02, rate=RateTuning(first_rate=UNLIMITED)
)


@pytest.fixture(scope="module")
def running():
    with serve(SandboxConfig(contacts=3)) as sandbox:
        yield sandbox


@pytest.fixture
def systems(sandbox):
    """The first person of the sandbox at every vendor."""

    def build(*names, contacts=1):
        for name in names or VENDORS:
            known, vendor = sandbox.connections[name], VENDORS[name]
            secrets = known["host"], known.get("login", ""), known.get("password", "")
            credentials = build_credentials(vendor, *secrets, {**known["extra"], "account": "acme"})
            people = [vendor.contact(text) for text in sandbox.contacts(name)[:contacts]]
            yield System(check_request(vendor, people), credentials)

    return lambda *names, **more: list(build(*names, **more))


def read_lines(lake, found):
    return [json.loads(line) for line in lake.read_bytes(found.lines.path).splitlines()]


class TestEverywhere:
    def test_one_person_at_all_vendors_is_one_set_of_files(self, sandbox, systems, lake):
        found = answer_person(lake, systems(), gaps=["Nobody asked the fax."], limits=QUICK, asked_by="ann")
        expected = {
            name: sandbox.oracle(name, "1970-01-01", "2100-01-01", contact=sandbox.contacts(name)[0]).interactions
            for name in VENDORS
        }
        assert {one.vendor: one.counts.canonical for one in found.systems} == expected
        assert found.counts.canonical == sum(expected.values()) == found.parquet.rows == found.page.rows
        assert sorted(lake.list_files("requests")) == sorted(
            [found.parquet.path, found.lines.path, found.page.path, found.summary]
        )
        assert found.summary.startswith("requests/vendor=all/account=all/")
        assert {row["vendor"] for row in read_lines(lake, found)} == set(VENDORS)

    def test_the_page_merges_the_systems_by_time(self, systems, lake):
        found = answer_person(lake, systems(), gaps=["Nobody asked the fax."], limits=QUICK)
        page = lake.read_bytes(found.page.path).decode()
        times = [datetime.fromisoformat(at) for at in re.findall(r'<time datetime="([^"]*)"', page)]
        assert times == sorted(times)
        assert len(times) == found.page.rows
        systems_in_order = re.findall(r"</time> · ([^<]*)<", page)
        assert len(set(systems_in_order)) == len(VENDORS)
        assert systems_in_order != sorted(systems_in_order)
        assert '<p class="gap">Nobody asked the fax.</p>' in page

    def test_what_is_said_names_nobody(self, sandbox, systems, lake):
        found = answer_person(lake, systems(), gaps=["Nobody asked the fax."], limits=QUICK)
        said = "\n".join(describe_person(found)) + lake.read_bytes(found.summary).decode()
        assert said.startswith(
            f"{len(VENDORS)} systems, all time: {found.counts.canonical} interactions.\nNobody asked the fax."
        )
        assert not [name for name in VENDORS if sandbox.contacts(name)[0] in said]

    def test_a_record_under_two_identifiers_counts_once(self, systems, lake):
        """As if a second identifier led to the same customer: the records of a person, twice."""
        [system] = systems("luminate_online")
        people = []
        for _ in range(2):
            with everywhere.ask_vendor(lake, system.request, system.credentials, limits=QUICK) as found:
                people += found.people
        before = [(len(person.interactions), person.repeated) for person in people]
        first, second = everywhere._drop_known(people)
        assert before[0] == before[1] == (len(first.interactions), first.repeated)
        assert len(first.interactions) > 0
        assert (len(second.interactions), second.repeated) == (0, sum(before[1]))

    @pytest.mark.parametrize("failing", ["dynamics_marketing", "capillary"])
    def test_a_system_that_fails_leaves_no_file(self, sandbox, systems, lake, failing):
        path = {"dynamics_marketing": "LoadInteractions", "capillary": "interaction"}[failing]
        sandbox.faults([{"kind": "status", "status": 503, "path": path, "times": 100}])
        with pytest.raises(Unavailable):
            answer_person(lake, systems(), limits=QUICK)
        assert not lake.exists("requests") or lake.list_files("requests") == []

    def test_identifiers_of_several_kinds_are_asked_in_one_request(self):
        contacts = [Contact("7", "cons_id"), Contact("7", "member_id")]
        request = check_request(VENDORS["luminate_online"], contacts)
        assert list(request.contacts) == contacts
