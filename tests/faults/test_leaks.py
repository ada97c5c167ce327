"""Nothing secret and nothing about anyone is told, in any log record or exception, whatever goes wrong."""

import base64
import hashlib
import logging
import traceback
from urllib.parse import quote, quote_plus

import pytest
import rig
import stamina
import structlog
from disks import Fate

from airflow_provider_interactions.errors import InteractionsError
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.extract.run import extract
from airflow_provider_interactions.normalize import pipeline

FAILURES = [
    *({"kind": "status", "status": status} for status in (400, 401, 403, 404, 405, 417, 429, 500, 503)),
    {"kind": "status", "status": 404, "message": "hush-hush"},
    {"kind": "status", "status": 500, "message": "hush-hush"},
    {"kind": "status", "status": 200, "body": "hush-hush"},
    {"kind": "status", "status": 200, "body": '{"Data":"hush-hush","interaction":"hush-hush"}'},
    {"kind": "status", "status": 200, "body": '{"errors":[{"code":"hush-hush","message":"hush-hush"}]}'},
    {"kind": "status", "status": 400, "body": '{"error":{"code":"hush-hush","message":"hush-hush"}}'},
    {"kind": "status", "status": 403, "body": '{"errorResponse":{"code":"hush-hush","message":"hush-hush"}}'},
    {"kind": "status", "status": 200, "body": "<hush-hush>hush-hush</hush-hush>", "content_type": "text/xml"},
    {"kind": "status", "status": 403, "body": "<errorResponse><code>hush-hush</code></errorResponse>"},
    {"kind": "html", "status": 200},
    {"kind": "reset"},
    {"kind": "truncate"},
    {"kind": "truncate", "variant": "chunked"},
    {"kind": "garbage", "variant": "gzip"},
    {"kind": "garbage", "variant": "encoding"},
    {"kind": "redirect"},
    {"kind": "redirect", "location": "http://127.0.0.1:1/?hush-hush=hush-hush"},
    {"kind": "repeat_cursor"},
    {"kind": "reject_tokens"},
    {"kind": "delay", "seconds": 3},
    {"kind": "throttle", "retry_after": 100},
]
#: What may go wrong with the token, where there is one.
TOKENS = [
    {
        "kind": "status",
        "status": 200,
        "body": '{"access_token":"hush-hush\\nX: y","data":{"accessToken":"hush-hush\\ny"}}',
    },
    {"kind": "status", "status": 200, "body": '{"access_token":7,"hush-hush":1}'},
    {"kind": "status", "status": 400, "body": '{"error":"hush-hush","error_description":"hush-hush"}'},
    {"kind": "status", "status": 401, "body": "hush-hush"},
    {"kind": "status", "status": 503, "body": "hush-hush"},
    {"kind": "redirect", "location": "http://127.0.0.1:1/?hush-hush"},
    {"kind": "reset"},
]


def chain(error):
    """Texts of an exception and of all that it came from, also where Python would not show it."""
    found, todo, seen = [], [error], set()
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        # What has been suppressed by "from None" is kept by Python, and never shown by a traceback.
        todo += [one.__cause__, None if one.__suppress_context__ else one.__context__]
        todo += list(getattr(one, "exceptions", ()))
        found += [str(one), repr(one), *map(str, getattr(one, "__notes__", ()))]
    found.append("".join(traceback.format_exception(error)))
    return found


def variants(secret):
    """The ways in which a text may be written."""
    raw = secret.encode()
    return {
        secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], secret.encode("unicode_escape").decode(),
        base64.b64encode(raw).decode(), base64.b64encode(raw).decode().rstrip("="), raw.hex(),
        *(hashlib.new(name, raw).hexdigest() for name in ("md5", "sha1", "sha256")),
    }  # fmt: skip


def secrets_of(spec):
    """Everything that nobody must read."""
    job = rig.job_of(spec)
    credentials = job.credentials
    login, password = credentials.login, credentials.password
    found = variants(password) | variants(f"{login}:{password}") | {"hush-hush", "Bearer", "Basic "}
    md5 = hashlib.md5(password.encode()).hexdigest()
    found |= {md5, md5.upper(), *variants(f"{login}:{md5}")}
    for secret in job.vendor.auth(credentials).secrets:
        found |= variants(secret)
    found |= {str(value) for name in ("api_key",) if (value := getattr(credentials.settings, name, None))}
    for contact in job.contacts:
        found |= {contact.id, quote(contact.id, safe=""), quote_plus(contact.id)}
    return {text for text in found if len(text) > 5}


def data_of(spec):
    """What the table says of people, and the queries by which it was asked for."""
    rows = rig.seen(spec)[1].to_pylist()
    names = ("subject", "campaign_name", "campaign_id", "message_id", "interaction_id")
    texts = {row[name] for row in rows for name in names if row[name]}
    parameters = (
        "identifierValue",
        "SkipToken",
        "list_record_offset",
        "login_name",
        "begin_date",
        "DateFrom",
        "client_",
    )
    return {text for text in texts if len(text) > 5} | set(parameters)


@pytest.fixture
def log_text(caplog):
    """All that is logged: by any logger at INFO or above, by ours at any level, by structlog, by stamina."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="airflow_provider_interactions")
    lines = []
    before = structlog.get_config()
    structlog.configure(processors=[lambda _, method, event: lines.append(f"{method} {event!r}") or ""])
    active = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([*active, lambda details: lines.append(repr(details))])
    yield lambda: [
        *lines,
        *(record.getMessage() for record in caplog.records),
        *(str(vars(record)) for record in caplog.records),
        caplog.text,
    ]
    stamina.instrumentation.set_on_retry_hooks(active)
    structlog.configure(**before)


def test_nothing_is_told(sandbox, vendor, tmp_path, log_text):
    case = rig.CASES[vendor]
    limits = {**rig.QUICK, "tries": 2, "timeout": 0.3, "patience": 0.2}
    spec = rig.spec(sandbox, vendor, tmp_path / "whole", limits=limits, contacts=sandbox.contacts(vendor)[:4])
    rig.run({**spec, "limits": rig.QUICK})
    hidden = secrets_of(spec) | data_of(spec)
    assert len(hidden) > 30
    paging = {"page_size": 2} if case.pages else {}
    rules = [{"path": case.calls, **fault} for fault in FAILURES]
    rules += [{"path": "token", **fault} for fault in TOKENS] if case.tokens else []
    texts, failed = [], 0
    for number, fault in enumerate(rules):
        sandbox.reset()
        sandbox.faults([{"vendor": vendor, **fault}])
        options = {**case.options, **paging}
        failing = {**spec, "lake": str(tmp_path / f"{number}"), "options": options, "resume": f"{number % 2 or None}"}
        try:
            rig.run({**failing, "on_missing": "fail"})
        except InteractionsError as error:
            failed += 1
            texts += chain(error)
    assert failed > len(rules) - 5
    texts += log_text()
    found = "\n".join(texts)
    assert len(found) > 10_000
    leaked = sorted(text for text in hidden if text in found)
    assert not leaked, [found[max(0, found.index(text) - 200) : found.index(text) + 80] for text in leaked[:3]]
    words = [word for word in found.split() if word.lstrip("('\"").startswith(("/", "http://127"))]
    assert not [word for word in words if "?" in word]


@pytest.mark.parametrize("login", ["wrong-login-xyz", None])
def test_wrong_credentials_are_not_quoted(sandbox, vendor, tmp_path, log_text, login):
    known = sandbox.connections[vendor]
    wrong = {**known, "login": login or known["login"], "password": "wrong-pass\u00e9-word&=xyz"}
    if vendor in ("luminate_online", "which50"):
        wrong["password"] = "wrong-pass-word&=xyz"
    spec = rig.spec(sandbox, vendor, tmp_path, connection=wrong)
    hidden = secrets_of(spec)
    with pytest.raises(InteractionsError) as error:
        rig.run(spec)
    found = "\n".join([*chain(error.value), *log_text()])
    assert not [text for text in hidden if text in found]
    assert "wrong-login" not in found


def test_nothing_is_told_of_rows_that_cannot_be_read(sandbox, vendor, tmp_path, log_text):
    """Nor by normalize, nor when counts do not add up, nor when the disk is full."""
    spec = rig.spec(sandbox, vendor, tmp_path)
    raw, _ = rig.run(spec)
    hidden = secrets_of(spec) | data_of(spec)
    lake, texts = rig.lake_of(spec), []
    for share in (0.0, 1.0):
        for change in (_spoil, lambda rows: rows.slice(1)):
            path = lake.full(raw.files[0].path)
            good = rig.pq.read_table(path)
            rig.pq.write_table(change(good), path)
            try:
                pipeline.normalize(lake, raw, rejects_share=share)
            except InteractionsError as error:
                texts += chain(error)
            rig.pq.write_table(good, path)
    lake.remove([raw.files[0].path])
    with pytest.raises(InteractionsError) as gone:
        commit.commit_window(lake, [raw])
    with pytest.raises(InteractionsError) as full:
        extract(rig.job_of(spec, Fate(room=1000)))
    found = "\n".join([*texts, *chain(gone.value), *chain(full.value), *log_text()])
    assert len(texts) > 3
    assert not [text for text in hidden if text in found]


def _spoil(rows):
    broken = rig.pa.array([b"<" + one[: len(one) // 2] for one in rows["payload"].to_pylist()], rig.pa.binary())
    return rows.set_column(rows.schema.get_field_index("payload"), rows.schema.field("payload"), broken)
