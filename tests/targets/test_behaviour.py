"""What every target of the table does alike. ``cases.py`` lists the targets."""

import json
import os
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_interactions.about import About
from airflow_provider_interactions.contract import Contact
from airflow_provider_interactions.errors import ConfigError, LoadError, Unreconciled, WindowSuperseded
from airflow_provider_interactions.lake.manifest import Counts, pack
from airflow_provider_interactions.lake.storage import Lake
from airflow_provider_interactions.load import Loaded
from airflow_provider_interactions.normalize.policy import Key
from airflow_provider_interactions.normalize.policy_rules import read_policy
from airflow_provider_interactions.schema import CANONICAL, KEY, _field, find_since, find_version
from airflow_provider_interactions.window import Window
from tests.bench.peak import load
from tests.bench.rows import write_rows
from tests.targets.cases import CASES, OnDuckDB
from tests.targets.processes import begin, start
from tests.targets.windows import ACCOUNT, DAY, VENDOR, read_at, row, write

NEXT_DAY = Window.of("2026-01-03", "2026-01-04")
BOTH_DAYS = Window.of("2026-01-02", "2026-01-04")

#: The columns as a later version of the package may have them.
NEXT = find_version(CANONICAL) + 1
NEWER = CANONICAL.append(_field("topic", pa.string(), "what it was about", since=NEXT))

#: DuckLake's tables are merged alike whatever has its catalogue: here the file has, which is the quicker one.
MERGING = [case for case in CASES if not case.replaces and case.__name__ != "DuckLake"]

#: Without versions of a server that differ in how they merge: what comes before and after that is the same in all.
ONCE = [case for case in CASES if case.__name__ != "OlderPostgres"]

#: When a load is killed, as a share of its time: every second of these, so that targets alike have all together. One of
#: them for statements on DuckDB, for another version of a server and for a catalogue in a file: the transaction is that
#: of another target here.
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
FEW = {
    case
    for case in CASES
    if issubclass(case, OnDuckDB) or case.__name__ in ("OlderPostgres", "Snowflake", "DuckLakeFile")
}
KILLED = [
    (case, share)
    for n, case in enumerate(CASES)
    for share in ([SHARES[(n + 2) % 5]] if case in FEW else SHARES[n % 2 :: 2])
]


def parametrize(cases=CASES):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.__name__)


@pytest.fixture
def place(request, case):
    return request.getfixturevalue(case.fixture)


def read(case, place, *columns, table="interactions"):
    """The rows in the order of their keys: some columns of them."""
    columns = columns or CANONICAL.names
    rows = ({name: one[name] for name in (*KEY, *columns)} for one in case.read(place, table))
    return [tuple(one[name] for name in columns) for one in sorted(rows, key=lambda one: [one[key] for key in KEY])]


@parametrize()
def test_a_first_load_has_every_value(case, place, lake):
    full = row(
        "1",
        **{field.name: f"{field.name} é 🚀 ' \" \\ \n" for field in CANONICAL if field.type == pa.string()},
        count=-(2**31),
        delivered_at=read_at(-1),
        updated_at=read_at(0).replace(microsecond=1),
    )
    sparse = row("2", status="", subject=None)
    done = case.open(place).load(lake, write(lake, [full, sparse]))
    assert done == Loaded(rows=2, inserted=2, updated=0, unchanged=0, merged=0)
    shared = {
        "vendor": VENDOR,
        "account": ACCOUNT,
        "extracted_at": read_at(0),
        "window_start": DAY.start,
        "window_end": DAY.end,
    }
    wanted = [{**dict.fromkeys(CANONICAL.names), **one, **shared} for one in (sparse, full)]
    key = "interaction_id é 🚀 ' \" \\ \n"
    found = {one["interaction_id"]: one for one in case.read(place)}
    assert found == {"2": wanted[0], key: wanted[1]}


@parametrize()
def test_a_second_load_changes_nothing(case, place, lake):
    manifest = write(lake, [row(n) for n in range(30)])
    target = case.open(place)
    target.load(lake, manifest)
    before = read(case, place)
    assert target.load(lake, manifest) == Loaded(rows=30, inserted=0, updated=0, unchanged=30, merged=0)
    assert read(case, place) == before


@parametrize()
def test_rows_that_were_only_read_again_are_unchanged(case, place, lake):
    target = case.open(place)
    target.load(lake, write(lake, [row(1), row(2)], 1))
    done = target.load(lake, write(lake, [row(1), row(2, subject="other"), row(3)], 2))
    assert done == count_replaced(case, inserted=1, updated=1, unchanged=1)
    assert read(case, place, "interaction_id", "subject") == [("1", None), ("2", "other"), ("3", None)]


def count_replaced(case, inserted, updated, unchanged):
    """The counts of a window that is loaded again: a target that replaces it removes its rows and adds all anew."""
    rows = inserted + updated + unchanged
    if case.replaces:
        return Loaded(rows, inserted=rows, updated=0, unchanged=0, merged=0, removed=updated + unchanged)
    return Loaded(rows, inserted, updated, unchanged, merged=0)


@parametrize()
def test_a_changed_policy_replaces_what_it_hides(case, place, lake):
    """The window is normalized again from the same extraction, so only the values differ."""
    target = case.open(place)
    plain = [row(1, subject="jo", status="a", attributes='{"to":"jo"}'), row(2, subject=None)]
    target.load(lake, write(lake, plain))
    for action, subject, attributes in (("mask", "***", '{"to":"***"}'), ("drop", None, "{}")):
        fields = {"subject": action, "attributes.to": action}
        policy = read_policy(About(name="x", title="X", labels={}, placeholders={}), {"fields": fields}, Key)
        columns = pa.schema([CANONICAL.field(name) for name in plain[0]])
        hidden = policy.apply(pa.RecordBatch.from_pylist(plain, columns)).to_pylist()
        assert target.load(lake, write(lake, hidden)) == count_replaced(case, inserted=0, updated=1, unchanged=1)
        found = read(case, place, "interaction_id", "subject", "status")
        assert found == [("1", subject, "a"), ("2", None, None)]
        [(_, text), _] = read(case, place, "interaction_id", "attributes")
        assert json.loads(text) == json.loads(attributes)


@parametrize(MERGING)
def test_a_row_that_was_only_read_again_keeps_its_extraction(case, place, lake):
    target = case.open(place)
    target.load(lake, write(lake, [row(1), row(2)], 1))
    target.load(lake, write(lake, [row(1), row(2, subject="other")], 2))
    assert read(case, place, "extracted_at") == [(read_at(1),), (read_at(2),)]


@parametrize(MERGING)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_newest_wins_in_any_order(case, place, lake, order):
    windows = [DAY, BOTH_DAYS, Window.of("2026-01-01", "2026-01-04")]
    rows = [[row(key, subject=f"seen {day}") for key in range(2 if day < 2 else 3)] for day in range(3)]
    manifests = [write(lake, rows[day], day, window=windows[day]) for day in range(3)]
    for which in order:
        case.open(place).load(lake, manifests[which])
    assert read(case, place, "interaction_id", "subject") == [(str(key), "seen 2") for key in range(3)]


@parametrize(MERGING)
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
@pytest.mark.parametrize("later", [0, 1])
def test_the_greater_revision_wins_whichever_window_is_read_later(case, place, lake, order, later):
    """The vendor moved an interaction to the next day. Each day has its row, and either may be read again."""
    days = [
        write(lake, [row(1, subject="old", revision=1), row(2)], later, window=DAY),
        write(lake, [row(1, subject="new", revision=2), row(3)], 1 - later, window=NEXT_DAY),
    ]
    done = [case.open(place).load(lake, days[which]) for which in order]
    assert read(case, place, "interaction_id", "subject", "revision") == [
        ("1", "new", 2),
        ("2", None, None),
        ("3", None, None),
    ]
    if order[0] == 1:
        assert done[1] == Loaded(rows=2, inserted=1, updated=0, unchanged=1, merged=0)
    else:
        assert done[1] == Loaded(rows=2, inserted=1, updated=1, unchanged=0, merged=0)
    for again in done[2:]:
        assert again == Loaded(rows=2, inserted=0, updated=0, unchanged=2, merged=0)


@parametrize(MERGING)
def test_a_row_with_a_revision_replaces_one_without(case, place, lake):
    target = case.open(place)
    target.load(lake, write(lake, [row(1), row(2, revision=0), row(3, revision=-(2**63) + 2)], 2))
    done = target.load(lake, write(lake, [row(1, revision=0), row(2), row(3)], 1, window=NEXT_DAY))
    assert done == Loaded(rows=3, inserted=0, updated=1, unchanged=2, merged=0)
    assert read(case, place, "revision") == [(0,), (0,), (-(2**63) + 2,)]


@parametrize(MERGING)
def test_of_the_rows_of_one_window_the_greatest_revision_stays(case, place, lake):
    three = [row(1, contact_id=who, revision=number) for who, number in (("a", None), ("b", 2**63 - 1), ("c", 3))]
    assert case.open(place).load(lake, write(lake, three)) == Loaded(3, inserted=1, updated=0, unchanged=0, merged=2)
    assert read(case, place, "contact_id", "revision") == [("b", 2**63 - 1)]


@parametrize(MERGING)
def test_the_same_interaction_of_two_contacts_is_one_row(case, place, lake):
    twice = [row(1, contact_id="b"), row(1, contact_id="a"), row(2)]
    manifest = write(lake, twice)
    target = case.open(place)
    assert target.load(lake, manifest) == Loaded(rows=3, inserted=2, updated=0, unchanged=0, merged=1)
    assert target.load(lake, manifest) == Loaded(rows=3, inserted=0, updated=0, unchanged=2, merged=1)
    assert read(case, place, "contact_id") == [("a",), ("c1",)]


@parametrize(ONCE)
def test_an_empty_window_makes_an_empty_table(case, place, lake):
    assert case.open(place).load(lake, write(lake, [])) == Loaded(0, 0, 0, 0, 0)
    assert read(case, place) == []
    assert case.open(place).load(lake, write(lake, [row(1)], 1)).inserted == 1


@parametrize(ONCE)
def test_prepare_makes_the_table_and_may_be_repeated(case, place, lake):
    target = case.open(place)
    target.prepare()
    assert read(case, place) == []
    target.load(lake, write(lake, [row(1)]))
    target.prepare()
    assert len(read(case, place)) == 1


@parametrize(ONCE)
def test_vendors_and_accounts_do_not_meet(case, place, lake):
    target = case.open(place)
    for vendor, account in (("which50", "one"), ("which50", "two"), ("capillary", "one")):
        done = target.load(lake, write(lake, [row(1, subject=account)], vendor=vendor, account=account))
        assert done.inserted == 1
    assert read(case, place, "vendor", "subject") == [("capillary", "one"), ("which50", "one"), ("which50", "two")]


@parametrize(ONCE)
def test_a_version_that_was_replaced_is_not_loaded(case, place, lake):
    former = write(lake, [row(1)], 1)
    write(lake, [row(1, subject="newer")], 2)
    with pytest.raises(WindowSuperseded):
        case.open(place).load(lake, former)


@parametrize(ONCE)
def test_missing_and_damaged_files_change_nothing(case, place, lake):
    target = case.open(place)
    target.load(lake, write(lake, [row(1)]))
    for damage in (lambda path: path.write_bytes(path.read_bytes()[:-9]), Path.unlink):
        manifest = write(lake, [row(1, subject="x"), row(2)], 1)
        damage(Path(lake.full(manifest.files[0].path)))
        with pytest.raises(LoadError, match="the table is unchanged"):
            target.load(lake, manifest)
    assert read(case, place, "interaction_id", "subject") == [("1", None)]


@parametrize(ONCE)
def test_fewer_rows_than_the_manifest_says_are_not_loaded(case, place, lake):
    target = case.open(place)
    target.prepare()
    manifest = write(lake, [row(1)])
    tampered = replace(manifest, counts=manifest.counts + Counts(canonical=1))
    with pytest.raises(Unreconciled, match="2 rows are in the manifest, 1 in its files"):
        target.load(lake, tampered)
    assert read(case, place) == []


@parametrize(ONCE)
def test_a_table_that_is_not_ours_is_left_as_it_is(case, place, lake):
    case.make_other(place)
    with pytest.raises(LoadError, match=r"missing columns: account, .*vendor .*the table is unchanged"):
        case.open(place).load(lake, write(lake, [row(1)]))
    assert case.read(place) == [{"precious": "mine", "vendor": 1}]


@parametrize([case for case in CASES if hasattr(case, "restrict")])
def test_the_error_of_a_user_who_may_not_make_tables_names_the_grant(case, place, lake):
    theirs, grant = case.restrict(place)
    with pytest.raises(LoadError) as refused:
        case.open(theirs).load(lake, write(lake, [row(1)]))
    assert grant in str(refused.value)


@parametrize([case for case in ONCE if not getattr(case, "plain_names", False)])
@pytest.mark.parametrize("name", ['we"ird; DROP TABLE x', "select", "ä ö", "Mixed", "inter'actions", "a-b\\c $1 %s"])
def test_any_table_name_is_a_name_and_nothing_else(case, place, lake, name):
    target = case.open(place, name)
    assert target.load(lake, write(lake, [row(1)])).inserted == 1
    assert target.load(lake, write(lake, [row(1, subject="x")], 1)) == count_replaced(case, 0, 1, 0)
    assert read(case, place, "subject", table=name) == [("x",)]
    assert target.erase(VENDOR, ACCOUNT, [Contact("c1")]) == 1
    assert read(case, place, table=name) == []


@parametrize(ONCE)
def test_an_erasure_removes_the_contact_of_one_account(case, place, lake):
    target = case.open(place)
    for account in ("one", "two"):
        rows = [row(1, contact_id="a'b"), row(2, contact_id="x"), row(3, contact_id="a'b", contact_id_kind="email")]
        target.load(lake, write(lake, rows, account=account))
    assert target.erase(VENDOR, "one", [Contact("a'b"), Contact("a'b"), Contact("nobody")]) == 1
    assert target.erase(VENDOR, "one", []) == 0
    left = read(case, place, "account", "interaction_id")
    assert left == [("one", "2"), ("one", "3"), ("two", "1"), ("two", "2"), ("two", "3")]


#: One person's address in several spellings, and addresses of others. Databases fold a letter like Ö by their locale.
SPELLINGS = ("jÖrg.kİ@example.org", "Jörg.Kİ@Example.ORG", "JÖRG.\N{KELVIN SIGN}I@EXAMPLE.ORG", "jörg.ki@example.org")
OTHERS = (
    "jorg.ki@example.org",
    "jöřg.ki@example.org",
    "jörg.ki@example.orgs",
    "jÖrg_ki@example.org",
    "it's@example.org",
)


@parametrize(ONCE)
@pytest.mark.parametrize("asked", SPELLINGS[2:], ids=["upper", "lower"])
def test_an_erasure_finds_an_address_in_any_case(case, place, lake, asked):
    target = case.open(place)
    ids = [*((one, "email") for one in (*SPELLINGS, *OTHERS)), *((one, "contact_id") for one in SPELLINGS)]
    rows = [row(n, contact_id=one, contact_id_kind=kind) for n, (one, kind) in enumerate(ids)]
    for account in ("one", "two"):
        target.load(lake, write(lake, rows, account=account))
    people = [Contact(asked, "email"), Contact(OTHERS[-1].upper(), "email"), Contact("nobody", "email")]
    assert target.erase(VENDOR, "one", people) == len(SPELLINGS) + 1
    left = read(case, place, "account", "contact_id", "contact_id_kind")
    kept = [one for one in ids if one[1] != "email" or one[0] in OTHERS[:-1]]
    assert sorted(left) == sorted([*(("one", *one) for one in kept), *(("two", *one) for one in ids)])
    assert target.erase(VENDOR, "one", people) == 0


@parametrize(ONCE)
def test_a_table_has_a_namespace_and_a_name_without_secrets(case, place):
    target = case.open(place, "crm")
    namespace, name = target.describe()
    assert "://" in namespace
    assert name.endswith("crm")
    assert "secret" not in f"{namespace}{name}{target!r}"


@parametrize(ONCE)
@pytest.mark.parametrize("version", range(1, NEXT - 1))
def test_tables_and_files_of_every_older_version_go_on(case, place, lake, version):
    columns = pa.schema([field for field in CANONICAL if find_since(field) <= version])
    case.open(place, columns=columns).load(lake, write(lake, [row(1), row(2)], columns=columns))
    target = case.open(place)
    old_files = write(lake, [row(3)], window=NEXT_DAY, columns=columns)
    assert target.load(lake, old_files).inserted == 1
    done = target.load(lake, write(lake, [row(1, revision=5, person_id="ann"), row(2)]))
    assert done == count_replaced(case, inserted=0, updated=1, unchanged=1)
    found = read(case, place, "interaction_id", "person_id", "revision")
    assert found == [("1", "ann", 5), ("2", None, None), ("3", None, None)]


@parametrize()
def test_a_column_is_added_to_a_table_of_the_version_before(case, place, lake):
    case.open(place).load(lake, write(lake, [row(1), row(2)], 1))
    newer = case.open(place, columns=NEWER)
    done = newer.load(lake, write(lake, [row(1), row(2, topic="news"), row(3, topic="x")], 2, columns=NEWER))
    assert done == count_replaced(case, inserted=1, updated=1, unchanged=1)
    assert read(case, place, "topic") == [(None,), ("news",), ("x",)]


@parametrize(ONCE)
def test_files_of_the_version_before_load_into_a_newer_table(case, place, lake):
    newer = case.open(place, columns=NEWER)
    newer.load(lake, write(lake, [row(1, topic="news")], columns=NEWER))
    assert newer.load(lake, write(lake, [row(2)], window=NEXT_DAY)).inserted == 1
    assert read(case, place, "topic") == [("news",), (None,)]


@parametrize(ONCE)
def test_older_code_refuses_what_is_newer(case, place, lake):
    old = case.open(place)
    newer_files = write(lake, [row(1, topic="news")], columns=NEWER)
    with pytest.raises(ConfigError, match=f"schema version {NEXT}"):
        old.load(lake, newer_files)
    case.open(place, columns=NEWER).load(lake, newer_files)
    before = case.read(place)
    for refused in (lambda: old.load(lake, write(lake, [row(2)], window=NEXT_DAY)), old.prepare):
        with pytest.raises(ConfigError, match=f"schema version {NEXT}"):
            refused()
    assert case.read(place) == before


def load_all(process, *manifests):
    begin(process, json.dumps([pack(one) for one in manifests]))


@parametrize()
def test_two_loads_at_once_leave_what_one_after_the_other_would(case, place, lake):
    """The first loads make the table; the others meet in one window, and in windows that have rows in common."""
    windows = [Window.of("2026-01-02", f"2026-01-{day:02}") for day in range(3, 9)]
    manifests = [
        write(lake, [row(key, subject=f"seen {n}") for key in range(500)], n, window=window)
        for n, window in enumerate(windows)
    ]
    with ExitStack() as stack:
        loaders = [stack.enter_context(start("load_windows", case, lake, place)) for _ in range(2)]
        for loader, part in zip(loaders, (manifests, [*reversed(manifests), manifests[0]]), strict=True):
            load_all(loader, *part)
        done = [json.loads(loader.stdout.readline()) for loader in loaders]
    rows = read(case, place, "interaction_id", "subject")
    if case.replaces:
        assert len(rows) == 500 * len(windows)
    else:
        assert sum(one["inserted"] for part in done for one in part) == 500
        assert rows == sorted((str(key), "seen 5") for key in range(500))


@pytest.mark.parametrize(("case", "share"), KILLED, ids=lambda one: getattr(one, "__name__", None))
def test_a_killed_load_leaves_the_table_as_it_was_or_loaded(case, place, lake, share):
    target = case.open(place)
    target.load(lake, write(lake, [row(key) for key in range(20_000)]))
    before = sorted(read(case, place, "interaction_id", "subject"))
    newer = [row(key, subject="newer" * 20) for key in range(40_000)]
    began = time.monotonic()
    case.open(place, "beside").load(lake, write(lake, newer, window=NEXT_DAY))
    lasts = time.monotonic() - began
    manifest = write(lake, newer, 1)
    with start("load_windows", case, lake, place) as process:
        load_all(process, manifest)
        time.sleep(lasts * share)
        process.kill()
        process.wait()
    after = sorted((str(key), "newer" * 20) for key in range(40_000))
    assert sorted(read(case, place, "interaction_id", "subject")) in (before, after)
    done = target.load(lake, manifest)
    assert done.rows == done.inserted + done.updated + done.unchanged == 40_000
    assert sorted(read(case, place, "interaction_id", "subject")) == after


WINDOWS = (DAY, NEXT_DAY, BOTH_DAYS)
ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 4),
        contact_id=st.sampled_from("ab"),
        subject=st.sampled_from([None, "", "x"]),
        revision=st.sampled_from([None, None, 0, 1]),
    ),
    max_size=6,
    unique_by=lambda one: (one["interaction_id"], one["contact_id"]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("extract"), st.sampled_from(WINDOWS), st.integers(0, 3), ROWS),
        st.tuples(st.just("again"), st.sampled_from(WINDOWS)),
        st.tuples(st.just("erase"), st.sampled_from("ab")),
    ),
    max_size=8,
)


#: Statements of targets in an environment of their own take a tenth of a second each.
EXAMPLES = 10 if "TARGETS" in os.environ else 25


def rank(revision):
    """Null is less than any revision."""
    return -1 if revision is None else revision


def merge_rows(rows, manifest, table):
    """The table after a load by the rules of ``Target``, and the counts. Key and extraction are beside each row."""
    newest, counts = {}, {"inserted": 0, "updated": 0, "unchanged": 0}
    for one in sorted(
        sorted(rows, key=lambda one: one["contact_id"], reverse=True), key=lambda one: rank(one["revision"])
    ):
        content = (one["contact_id"], one["subject"], one["revision"], manifest.window_start, manifest.window_end)
        newest[one["interaction_id"]] = content
    for key, content in newest.items():
        old = table.get(key)
        if old is None:
            counts["inserted"] += 1
        elif (rank(content[2]), manifest.extracted_at) >= (rank(old[2]), old[-1]) and content != old[:-1]:
            counts["updated"] += 1
        else:
            counts["unchanged"] += 1
            continue
        table[key] = (*content, manifest.extracted_at)
    return Loaded(rows=len(rows), merged=len(rows) - len(newest), **counts)


@parametrize(MERGING)
@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=EXAMPLES)
def test_any_sequence_of_extractions_gives_what_a_simple_model_gives(case, place, lake, steps):
    name = f"t{time.monotonic_ns()}"
    target, published, model = case.open(place, name), {}, {}
    target.prepare()
    for kind, what, *more in steps:
        if kind == "erase":
            gone = [key for key, one in model.items() if one[0] == what]
            assert target.erase(VENDOR, f"{ACCOUNT} {name}", [Contact(what)]) == len(gone)
            model = {key: one for key, one in model.items() if key not in gone}
            continue
        if kind == "extract":
            day, rows = more
            published[what] = write(lake, rows, day, window=what, account=f"{ACCOUNT} {name}"), rows
        if what in published:
            manifest, rows = published[what]
            assert target.load(lake, manifest) == merge_rows(rows, manifest, model)
    columns = ("interaction_id", "contact_id", "subject", "revision", "window_start", "window_end", "extracted_at")
    assert read(case, place, *columns, table=name) == [(key, *one) for key, one in sorted(model.items())]


#: Rows of two windows for each target that runs here as it is, and MB that it may take for any window.
SIZES = {"DuckDB": (500_000, 2_000_000, 1024), "Postgres": (150_000, 450_000, 0), "Iceberg": (150_000, 450_000, 0)}


@parametrize([case for case in CASES if case.__name__ in SIZES])
def test_memory_does_not_grow_with_the_rows(case, place, tmp_path):
    *sizes, free = SIZES[case.__name__]
    peaks = []
    for n, rows in enumerate(sizes):
        lakes = [Lake.at(str(tmp_path / f"{n}-{version}")) for version in (1, 2)]
        found = []
        for version, lake in enumerate(lakes, 1):
            write_rows(lake, version, rows)
            found.append(load(case.__name__, place, lake, f"rows_{rows}"))
        assert [one["loaded"]["rows"] for one in found] == [rows, rows]
        peaks.append([one["peak"] for one in found])
    assert all(more < 1.25 * max(few, free) for few, more in zip(*peaks, strict=True)), peaks
