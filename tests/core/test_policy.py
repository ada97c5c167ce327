"""The policy for personal data: what it changes is nowhere in what normalize writes, and nothing else changes."""

import base64
import hmac
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airflow_provider_interactions.about import About
from airflow_provider_interactions.connection import build_credentials
from airflow_provider_interactions.contract import Contact, Query
from airflow_provider_interactions.coverage import details
from airflow_provider_interactions.errors import ConfigError, TooManyRejects, Unreconciled
from airflow_provider_interactions.extract import commit, raw_writer
from airflow_provider_interactions.extract.checkpoint import Checkpoint
from airflow_provider_interactions.extract.outcomes import Outcome
from airflow_provider_interactions.extract.raw_table import PageRows
from airflow_provider_interactions.lake import parquet
from airflow_provider_interactions.lake.manifest import Counts, Manifest, pack, unpack
from airflow_provider_interactions.lake.paths import WindowPaths
from airflow_provider_interactions.load import load_window
from airflow_provider_interactions.load.duckdb import DuckDBTable
from airflow_provider_interactions.mapping import build_batch, map_batch
from airflow_provider_interactions.normalize.parts import normalize_split, publish_parts, split_raw
from airflow_provider_interactions.normalize.pipeline import normalize
from airflow_provider_interactions.normalize.policy import KEEP_ALL, MASKED, Action, Key
from airflow_provider_interactions.normalize.policy_rules import list_actions, read_key, read_policy
from airflow_provider_interactions.rejects import SHARE
from airflow_provider_interactions.schema import CANONICAL, KEY
from airflow_provider_interactions.shell.connections import Connection
from airflow_provider_interactions.vendors import NAMES, VENDORS, list_abouts, read_about
from airflow_provider_interactions.window import Window

SECRET = "0123456789abcdef" * 2
CONNECTION = Connection(conn_id="pseudonyms", login="2026-11", password=SECRET)
PLAIN = About(name="plain", title="Plain", labels={}, placeholders={})


def policy(given=None, about=PLAIN):
    return read_policy(about, given, lambda conn_id: read_key(replace(CONNECTION, conn_id=conn_id)))


def hash_text(text):
    return f"hmac:2026-11:{hmac.new(SECRET.encode(), text.encode(), sha256).hexdigest()}"


def batch(*rows):
    """Canonical rows from some of their values."""
    known = dict.fromkeys(CANONICAL.names) | {"attributes": "{}", "count": 1}
    needed = {name: name for name in ("vendor", "account", "interaction_id", "contact_id", "contact_id_kind")}
    words = dict.fromkeys(("channel", "action", "native_type"), "word")
    times = dict.fromkeys(
        ("occurred_at", "extracted_at", "window_start", "window_end"), datetime(2026, 1, 2, tzinfo=UTC)
    )
    return pa.RecordBatch.from_pylist([{**known, **needed, **words, **times, **row} for row in rows], CANONICAL)


# What a policy does to columns and paths


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("keep", "Your code: 123456"),
        ("drop", None),
        ("mask", MASKED),
        ("mask_codes", "Your code: ***"),
        ("hmac", hash_text("Your code: 123456")),
    ],
)
def test_an_action_changes_a_column_and_leaves_null_and_the_others(action, expected):
    rows = batch({"subject": "Your code: 123456"}, {"subject": None})
    found = policy({"fields": {"subject": action}, "key": "k"}).apply(rows)
    assert found.column("subject").to_pylist() == [expected, None]
    assert found.schema.equals(CANONICAL, check_metadata=True)
    assert found.drop_columns(["subject"]).equals(rows.drop_columns(["subject"]))


@pytest.mark.parametrize(
    ("path", "action", "before", "after"),
    [
        ("attributes.b", "drop", '{"a":1.10,"b":"x"}', '{"a":1.10}'),
        ("attributes.b", "mask", '{"a":1.10,"b":{"c":[1]}}', '{"a":1.10,"b":"***"}'),
        ("attributes.B", "mask", '{"b":1,"B":2}', '{"b":"***","B":"***"}'),
        ("attributes.b", "mask", '{"b":null}', '{"b":null}'),
        ("attributes.b", "hmac", '{"b":"\\u00e9"}', f'{{"b":"{hash_text("é")}"}}'),
        ("attributes.b", "hmac", '{"b":1.10}', f'{{"b":"{hash_text("1.10")}"}}'),
        ("attributes.b", "mask_codes", '{"b":"a 123456"}', '{"b":"a ***"}'),
        ("attributes.b", "mask_codes", '{"b":123456}', '{"b":"***"}'),
        ("attributes.b", "mask_codes", '{"b": "none"}', '{"b":"none"}'),
        ("attributes.b.c", "mask", '{"b":{"c":1,"d":2.50}}', '{"b":{"c":"***","d":2.50}}'),
        (
            "attributes.b.c",
            "mask",
            '{"b":[{"c":1},{"d":2},[{"c":3}],4]}',
            '{"b":[{"c":"***"},{"d":2},[{"c":"***"}],4]}',
        ),
        ("attributes.b.c", "mask", '{"b":"c"}', '{"b":"c"}'),
        ('attributes."b.c"', "mask", '{"b.c":1,"b":{"c":2}}', '{"b.c":"***","b":{"c":2}}'),
        ("attributes.b.c", "mask", '{"b":{"c":1,"\\u0063":2}}', '{"b":{"c":"***"}}'),
        ("attributes.absent", "mask", '{"a" : 1.10}', '{"a" : 1.10}'),
        ("attributes", "drop", '{"a":1}', "{}"),
    ],
)
def test_an_action_changes_a_path_and_nothing_beside_it(path, action, before, after):
    found = policy({"fields": {path: action}, "key": "k"}).apply(batch({"attributes": before}))
    assert found.column("attributes").to_pylist() == [after]


@pytest.mark.parametrize(
    "text", ["no json", "[1]", '{"b":', '{"b":"\\ud83d"}', '{"x":' + "[" * 5_000 + "]" * 5_000 + "}"]
)
def test_nothing_stays_of_attributes_in_which_no_field_can_be_found(text):
    assert policy({"fields": {"attributes.b": "mask"}}).change_attributes(text) == "{}"


@pytest.mark.parametrize(
    "text", ["Your code is 123456.", "12 34 56", "1-2-3-4", "A1B2C3", "G-834921", "٣٤٥٦", "1234", "x/9f3kQ"]
)
def test_what_looks_like_a_code_is_masked(text):
    found = policy({"fields": {"subject": "mask_codes"}}).apply(batch({"subject": text})).column("subject")[0].as_py()
    assert MASKED in found
    assert not any(character.isdigit() for character in found)


@given(st.text(st.sampled_from("aB1290 .-_/:\n"), max_size=30))
def test_codes_are_the_same_in_texts_of_ascii_and_of_any_alphabet(text):
    wanted = policy({"fields": {"subject": "mask_codes"}})
    found = (
        wanted.apply(batch({"subject": text}, {"subject": f"{text}, é"}, {"subject": None}))
        .column("subject")
        .to_pylist()
    )
    assert found == [found[0], f"{found[0]}, é", None]


@pytest.mark.parametrize("text", ["200 points", "50% off", "One Time Password (OTP)", "Rewards redeemed", "a1 b2"])
def test_what_does_not_stays(text):
    assert (
        policy({"fields": {"subject": "mask_codes"}}).apply(batch({"subject": text})).column("subject")[0].as_py()
        == text
    )


def test_one_value_has_one_hash_wherever_it_stands():
    rows = batch(
        {
            "contact_id": "jo@x.example",
            "status": "jo@x.example",
            "attributes": '{"to":["jo@x.example"],"m":"jo@x.example"}',
        }
    )
    given = {"fields": dict.fromkeys(("contact_id", "status", "attributes.m"), "hmac"), "key": "k"}
    found = policy(given).apply(rows)
    assert found.column("contact_id").to_pylist() == found.column("status").to_pylist() == [hash_text("jo@x.example")]
    assert json.loads(found.column("attributes")[0].as_py())["m"] == hash_text("jo@x.example")
    assert policy(given).apply(rows).equals(found)


def test_another_key_gives_another_hash_that_names_its_key():
    other = read_policy(PLAIN, {"fields": {"subject": "hmac"}, "key": "k"}, lambda _: Key("2027-01", b"x" * 32))
    mine = policy({"fields": {"subject": "hmac"}, "key": "k"})
    first, second = (one.apply(batch({"subject": "s"})).column("subject")[0].as_py() for one in (mine, other))
    assert first.startswith("hmac:2026-11:")
    assert second.startswith("hmac:2027-01:")
    assert first[-64:] != second[-64:]
    assert mine.digest != other.digest


# The rules


def test_the_most_specific_rule_counts():
    about = About(
        name="x", title="X", labels={}, placeholders={},
        personal={"subject": "text", "attributes.to": "e-mail address", "attributes.from": "e-mail address"},
        policy={"subject": "mask_codes", "status": "mask"},
    )  # fmt: skip
    assert policy(None, about).columns == {"subject": "mask_codes", "status": "mask"}
    found = policy({"preset": "mask", "fields": {"attributes.TO": "keep", "status": "keep"}}, about)
    assert (found.columns, found.attributes) == ({"subject": "mask"}, {"from": "mask"})
    assert policy({"fields": {"subject": "keep", "status": "keep"}}, about) == KEEP_ALL
    assert policy("drop", about) == policy({"preset": "drop"}, about) == policy('{"preset": "drop"}', about)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fields": {"subjct": "mask"}}, "'subjct'"),
        ({"fields": {"subject.text": "mask"}}, "'subject.text'"),
        ({"fields": {"attributes.": "mask"}}, "'attributes.'"),
        ({"fields": {"attributes.a..b": "mask"}}, "'attributes.a..b'"),
        ({"fields": {"Attributes.a": "mask"}}, "'Attributes.a'"),
        ({"fields": {"subject": "hide"}}, "'hide' for subject"),
        ({"fields": {"attributes.a": "Mask"}}, "'Mask' for attributes.a"),
        ({"preset": "hide"}, "'hide' for preset"),
        ("hide", "'hide' for preset"),
        ('{"preset": ', "it is not JSON"),
        ({"fields": {"subject": 1}}, "fields"),
        ({"feilds": {}}, "feilds"),
        ([1], "cannot be used"),
        ({"fields": {"subject": "hmac"}}, 'Add "key"'),
        ({"fields": {"interaction_id": "mask"}}, "mask the column interaction_id. Its actions are: keep, hmac"),
        ({"fields": {"contact_id": "drop"}}, "drop the column contact_id"),
        ({"fields": {"vendor": "hmac"}}, "hmac the column vendor. Its actions are: keep"),
        ({"fields": {"occurred_at": "drop"}}, "drop the column occurred_at"),
        ({"fields": {"count": "mask"}}, "mask the column count. Its actions are: keep, drop"),
        ({"fields": {"attributes": "mask"}}, "mask the column attributes. Its actions are: keep, drop"),
        ({"fields": {"attributes.a": "mask", "attributes.a.b": "keep"}}, "attributes.a.b, and also"),
    ],
)  # fmt: skip
def test_an_error_names_what_is_wrong(given, message):
    with pytest.raises(ConfigError) as error:
        policy(given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("login", "password", "message"),
    [("", SECRET, "login"), (None, SECRET, "login"), ("a:b", SECRET, "login"), ("x" * 33, SECRET, "login"),
     ("2026", "", "password"), ("2026", None, "password"), ("2026", "short-secret", "password")],
)  # fmt: skip
def test_a_key_that_is_absent_or_unfit_is_named_without_its_value(login, password, message):
    with pytest.raises(ConfigError, match=f"The {message} of connection pseudonyms") as error:
        read_key(replace(CONNECTION, login=login, password=password))
    assert "short-secret" not in str(error.value)


def test_no_repr_shows_the_key():
    found = policy({"fields": {"subject": "hmac"}, "key": "k"})
    assert SECRET not in repr(found)
    assert SECRET[:8] not in f"{found} {found.key} {found.digest}"


@pytest.mark.parametrize("column", CANONICAL.names)
def test_every_action_that_a_column_admits_leaves_a_table_that_targets_take(column):
    values = {column: "a text"} if CANONICAL.field(column).type == pa.string() and column != "attributes" else {}
    for action in list_actions(column):
        found = policy({"fields": {column: action}, "key": "k"}).apply(batch(values))
        assert found.schema.equals(CANONICAL, check_metadata=True)
        assert found.column(column).null_count == 0 or CANONICAL.field(column).nullable
    if column in KEY:
        assert set(list_actions(column)) <= {Action.KEEP, Action.HMAC}


@pytest.mark.parametrize("about", list_abouts(), ids=lambda about: about.name)
@pytest.mark.parametrize("action", list(Action))
def test_presets_are_policies(about, action):
    found = policy({"preset": action, "key": "k"}, about)
    assert bool(found.digest) == (bool(about.policy) or (bool(about.personal) and action != "keep"))


@pytest.mark.parametrize("vendor", NAMES)
def test_a_connection_may_hold_a_policy(vendor):
    for extra in ({"policy": "mask"}, {"policy": {"preset": "mask"}}, {"policy": '{"preset": "mask"}'}):
        more = {"tenant_id": "t"} if vendor == "dynamics_marketing" else {}
        more |= {"api_key": "k"} if vendor == "luminate_online" else {}
        settings = build_credentials(VENDORS[vendor], "https://x.example", "a", "b", {**extra, **more}).settings
        assert policy(settings.policy, read_about(vendor)) == policy("mask", read_about(vendor))


# What normalize writes


FIELDS = {
    "dynamics_marketing": lambda text: {
        "InteractionId": "A" * 32, "InteractionType": "EmailSent", "Timestamp": "2026-01-02T10:00:00Z",
        "MessageId": text, "EmailAddressUsed": text, "Nested": [{"Deep": {"City": text, "Kept": 1.10}}], "Also": text,
    },
    "which50": lambda text: {
        "Id": 7, "Interaction": "Email", "Occurred": "2026-01-02T10:00:00Z", "Name": text, "CampaignName": text,
        "Status": text, "EmailAddressUsed": text, "Nested": [{"Deep": {"City": text, "Kept": 1.10}}], "Also": text,
    },
    "capillary": lambda text: {
        "id": 7, "sentDate": "02-01-2026 10:00:00", "subject": text, "receiver": text, "status": "SENT",
        "EmailAddressUsed": text, "Nested": [{"Deep": {"City": text, "Kept": 1.10}}], "Also": text,
    },
}  # fmt: skip
PATHS = ("attributes.emailaddressused", "attributes.nested.deep.city", "attributes.also", "attributes.receiver")
COLUMNS = ("subject", "campaign_name", "message_id", "status", "contact_id")
CONTEXTS = {"capillary": json.dumps({"channel": "sms", "time_zone": "UTC"})}

#: Long enough not to be there by chance, of all kinds of characters.
values = st.text(st.characters(exclude_categories=("Cs",))).map(lambda text: f'jö"{text}\\-9f3q')


def spellings(text):
    """A text as the bytes in which a file may hold it: plain, inside JSON, or escaped."""
    return {
        text.encode(),
        json.dumps(text)[1:-1].encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        msgspec.json.encode(text)[1:-1],
        base64.b64encode(text.encode()),
        sha256(text.encode()).hexdigest().encode(),
    }


def written(desk, manifest):
    """All bytes that normalize has written, without compression."""
    return b"".join(desk.lake.fs.cat_file(desk.lake.full(file.path)) for file in (*manifest.files, *manifest.rejects))


def land(desk, vendor, payloads, contact):
    """A raw window, with the context that the vendor's records need."""
    place = WindowPaths(vendor, "acme", Window.of("2026-01-02", "2026-01-03"))
    query = Query(Contact(contact), None, None, "EmailSent" if vendor == "dynamics_marketing" else None)
    with raw_writer.RawWriter(desk.lake, place, Checkpoint(extracted_at=datetime(2026, 2, 1, tzinfo=UTC))) as writer:
        writer.add_page(PageRows(query, CONTEXTS.get(vendor, ""), payloads, [None] * len(payloads)))
        writer.add_outcome(Outcome(contact, query.contact.kind, "ok", len(payloads), 1, None))
        count = len(payloads)
        manifest = writer.finish(Counts(received=count, fetched=count, contacts=1, ok=1, requests=1))
    return commit.commit_window(desk.lake, [manifest])


@pytest.mark.parametrize("vendor", list(FIELDS))
@given(values, st.sampled_from([Action.DROP, Action.MASK, Action.HMAC]), st.booleans())
def test_what_is_changed_is_nowhere_in_the_bytes(memory_desk, vendor, text, action, is_escaped):
    """Whatever the value, repeated in columns and nested fields, in readable records and in unreadable ones."""
    record = FIELDS[vendor](text)
    good = json.dumps(record, ensure_ascii=is_escaped).encode()
    bad = json.dumps(
        {**record, **dict.fromkeys(("Timestamp", "Occurred", "sentDate"))}, ensure_ascii=is_escaped
    ).encode()
    fields = dict.fromkeys((*COLUMNS[:-1], *PATHS), action) | {"contact_id": "hmac"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "COMPRESSION", "none")
        raw = land(memory_desk, vendor, [good, bad, good[:-1]], text)
        kept = normalize(memory_desk.lake, raw, rejects_share=1.0, now=datetime(2026, 2, 1, tzinfo=UTC))
        before = written(memory_desk, kept)
        rows = memory_desk.rows(kept.files)
        reasons = [row["reason"] for row in memory_desk.rows(kept.rejects)]
        done = normalize(memory_desk.lake, raw, rejects_share=1.0, policy=policy({"fields": fields, "key": "k"}))
        after = written(memory_desk, done)
    assert spellings(text) & {one for one in spellings(text) if one in before}  # the search finds what is there
    assert not [one for one in spellings(text) if one in after]
    assert done.counts == kept.counts
    assert (done.counts.canonical, done.counts.rejected) == (1, 2)
    untouched = [name for name in CANONICAL.names if name not in (*COLUMNS, "attributes")]
    [mine] = memory_desk.rows(done.files)
    assert [mine[name] for name in untouched] == [rows[0][name] for name in untouched]
    assert json.loads(mine["attributes"])["Nested"][0]["Deep"]["Kept"] == 1.1
    assert [row["reason"] for row in memory_desk.rows(done.rejects)] == reasons


def test_rejects_keep_the_reason_and_nothing_of_the_vendors(desk):
    raw = desk.land(desk.record(InteractionId=None, EmailAddressUsed="jo@x.example"), b"jo@x.example", desk.record())
    done = normalize(desk.lake, raw, rejects_share=1.0, policy=policy({"fields": {"contact_id": "hmac"}, "key": "k"}))
    rows = desk.rows(done.rejects)
    assert [row["reason"] for row in rows] == ["InteractionId is missing", "the record is not a JSON object"]
    assert {(row["payload"], row["context"], row["contact_id"]) for row in rows} == {(b"", "", hash_text("c1"))}
    assert [row["payload"] for row in desk.rows(raw.files)][1] == b"jo@x.example"  # raw/ stays as it is


def test_too_many_rejects_leave_nothing_either(desk):
    raw = desk.land(b"jo@x.example")
    with pytest.raises(TooManyRejects, match="their bytes are in raw/ only"):
        normalize(desk.lake, raw, policy=policy({"fields": {"subject": "mask"}}))
    [path] = [path for path in desk.files() if "/rejects-" in path]
    assert pq.read_table(desk.lake.full(path)).column("payload").to_pylist() == [b""]


def test_the_coverage_page_hides_what_the_extraction_rejected(desk):
    raw = desk.land(b"jo@x.example", desk.record())
    kept = normalize(desk.lake, raw, rejects_share=1.0)
    assert [one.payload for one in details.read_rejected(desk.lake, kept, "the record is not a JSON object")] == [
        b"jo@x.example"
    ]
    undated = replace(kept, undated=kept.rejects, rejects=(), policy="a digest")
    [hidden] = details.read_rejected(desk.lake, undated, "the record is not a JSON object")
    assert (hidden.contact_id, hidden.payload) == ("", b"")


def test_capillary_masks_one_time_passwords_unless_a_policy_says_otherwise(desk):
    about, sms = read_about("capillary"), {"id": 7, "sentDate": "02-01-2026 10:00:00", "subject": "Your OTP is 482913"}
    raw = land(desk, "capillary", [json.dumps(sms).encode()], "91660499160")
    [row] = desk.rows(normalize(desk.lake, raw, policy=policy(None, about)).files)
    assert row["subject"] == "Your OTP is ***"
    [row] = desk.rows(normalize(desk.lake, raw, policy=policy({"fields": {"subject": "keep"}}, about)).files)
    assert row["subject"] == "Your OTP is 482913"


# A policy that changes


def test_a_changed_policy_is_applied_by_normalizing_and_loading_again(desk, tmp_path):
    raw = desk.land(desk.record(EmailAddressUsed="jo@x.example"))
    target = DuckDBTable(str(tmp_path / "all.duckdb"), "interactions")
    found = []
    for preset in (None, "mask", "hmac", None):
        wanted = policy({"preset": preset, "key": "k"} if preset else None, read_about("dynamics_marketing"))
        done = normalize(desk.lake, raw, policy=wanted)
        assert (done.policy, done.asked, unpack(pack(done))) == (wanted.digest, raw.asked, done)
        assert desk.lake.read(done.place.manifest, Manifest) == done
        _, loaded = load_window(desk.lake, done, target)
        assert loaded.rows == 1
        with duckdb.connect(str(tmp_path / "all.duckdb")) as connection:
            found += connection.sql("SELECT attributes ->> 'EmailAddressUsed' FROM interactions").fetchall()
    assert [one for (one,) in found] == ["jo@x.example", "***", hash_text("jo@x.example"), "jo@x.example"]


def test_a_run_that_loads_an_older_version_loads_the_current_policy(desk, tmp_path):
    raw = desk.land(desk.record(EmailAddressUsed="jo@x.example"))
    open_one = normalize(desk.lake, raw)
    masked = normalize(desk.lake, raw, policy=policy({"fields": {"attributes.EmailAddressUsed": "mask"}}))
    loaded, _ = load_window(desk.lake, open_one, DuckDBTable(str(tmp_path / "all.duckdb"), "interactions"))
    assert loaded == masked


def test_the_parts_of_a_window_follow_one_policy(desk):
    raw = desk.land(desk.record(EmailAddressUsed="jo@x.example"))
    now, wanted = datetime.now(UTC), policy({"fields": {"attributes.EmailAddressUsed": "mask"}})
    split = split_raw(desk.lake, raw, 1)
    parts = [normalize_split(desk.lake, part, now, wanted) for part in split]
    done = publish_parts(desk.lake, split, parts, SHARE, now - now, now, wanted)
    assert (done.policy, [json.loads(row["attributes"]) for row in desk.rows(done.files)]) == (
        wanted.digest, [{"EmailAddressUsed": "***"}],
    )  # fmt: skip
    two = [replace(part, batch=n, batches=2) for n, part in enumerate([parts[0], replace(parts[0], policy="")])]
    with pytest.raises(Unreconciled, match="different policies"):
        publish_parts(desk.lake, split, two, SHARE, now - now, now, wanted)


def test_repeats_are_found_before_the_policy_hides_them(desk):
    """Two records that differ only in what is masked are two records."""
    records = [desk.record(EmailAddressUsed=name) for name in ("a@x.example", "b@x.example")]
    raw = desk.land(*records)
    wanted = policy({"fields": {"attributes.EmailAddressUsed": "mask"}})
    counts = [normalize(desk.lake, raw, rejects_share=1.0, policy=one).counts for one in (KEEP_ALL, wanted)]
    assert counts[0] == counts[1]
    assert counts[0].rejected == 1


@pytest.mark.parametrize("vendor", NAMES)
def test_presets_cover_what_the_golden_records_hold_of_a_person(vendor):
    golden = json.loads((Path(__file__).parents[1] / "golden" / f"{vendor}.json").read_text())
    asked = golden["asked"]
    context = msgspec.json.encode(asked["context"]).decode() if asked.get("context") else ""
    contact = Contact(asked["contact_id"], asked["contact_id_kind"])
    raw = build_batch([one.encode() for one in golden["payloads"]], contact, asked["native_type"], context)
    rows = map_batch(raw, VENDORS[vendor]).rows
    wanted = policy({"preset": "mask"}, read_about(vendor))
    names = [name for name in wanted.columns if name in rows.schema.names]
    changed = replace(wanted, columns={name: wanted.columns[name] for name in names}).apply(rows)
    assert "@" not in "".join(changed.column("attributes").to_pylist())
    assert changed.num_rows == rows.num_rows
