"""XML from strangers: hostile documents are one clear error in no time, and nothing of a good one is lost."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.shared import xml, xml_source

NS = 'xmlns="urn:v" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'


def levels(count, body=b""):
    return b"<a>" * count + body + b"</a>" * count


ENTITIES = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))

HOSTILE = {
    "entity bomb": b'<!DOCTYPE a [<!ENTITY l0 "x">' + ENTITIES + b"]><a>&l11;</a>",
    "entity bomb in an attribute": b'<!DOCTYPE a [<!ENTITY l0 "x">' + ENTITIES + b']><a b="&l11;"/>',
    "file": b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><a>&f;</a>',
    "network": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
    "DTD behind a long prolog": b'<?xml version="1.0"?>' + b"<!-- - -->\n<?p i?>" * 20_000 + b"<!DOCTYPE a><a/>",
    "deep": b"<a>" * 200_000,
    "deep and closed": levels(5_000),
    "deep below a record": b"<r>" + levels(5_000) + b"</r>",
    "one long text": b"<a>" + b"x" * 11_000_000 + b"</a>",
    "no end": b"<a><b>1</b><b>",
    "no end of a comment": b"<!-- " * 100_000,
    "undefined entity": b"<a>&nope;</a>",
    "two roots": b"<a/><b/>",
    "unbound prefix": b"<a><x:c/></a>",
    "nothing": b"",
    "text": b"hello",
    "JSON": b'{"a": 1}',
    "HTML": b"<!DOCTYPE html><html><body><br></body></html>",
    "zip": b"PK\x03\x04" + bytes(range(256)),
    "UTF-16 that says UTF-8": b"\xff\xfe" + '<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16-le"),
    "UTF-8 that says UTF-16": b'<?xml version="1.0" encoding="UTF-16"?><a/>',
    "unknown encoding": b'<?xml version="1.0" encoding="x-klingon"?><a/>',
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-</a>',
    "half UTF-16": b"\xff\xfe<",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("read", ["parse", "split"])
def test_a_hostile_document_is_refused_at_once(body, read):
    started = time.process_time()
    with pytest.raises(BadResponse, match="the answer") as refused:
        xml.parse(body, "the answer") if read == "parse" else xml.split(body, "b", "the answer", xml.read_text)
    assert time.process_time() - started < 0.5
    assert "passwd" not in str(refused.value)


def test_a_document_has_a_largest_size(monkeypatch):
    monkeypatch.setattr(xml_source, "MAX_BYTES", 10)
    with pytest.raises(BadResponse, match="larger than 10 bytes"):
        xml.parse(b"<a>12345</a>", "the answer")


@pytest.mark.parametrize(
    "body",
    [levels(20, b"x"), b"<a " + b" ".join(b'x%d="1"' % n for n in range(50_000)) + b"/>"],
    ids=["levels", "attributes"],
)
def test_plain_values_are_bounded_too(body):
    element, started = xml.parse(body, "the answer"), time.process_time()
    with pytest.raises(BadResponse, match="nested deeper than 16 levels, or has more than 64 attributes"):
        xml.to_plain(element)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<a/>", "a"),
        (b"<p:a.b-c xmlns:p='u'>", "a.b-c"),
        (b"\xef\xbb\xbf \n<?xml version='1.0'?><!-- <b> --> <?p <c>?>\n<a>", "a"),
        (b"<?xml version='1.0'?><!doctype html><html>", "!DOCTYPE"),
        (b"<HTML>", "HTML"),
        (b"{}", ""),
        (b"", ""),
        (b"<", ""),
        (b"<!-- never closed", ""),
    ],
)
def test_the_root_is_known_from_the_first_bytes(body, name):
    assert xml_source.find_root(body) == name


@pytest.mark.parametrize(
    "body",
    [
        "<a>é</a>".encode(),
        "\n <a>é</a>".encode(),
        "\ufeff<a>é</a>".encode(),
        '<?xml version="1.0" encoding="utf8"?><a>é</a>'.encode(),
        '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16"),
        "<a>é</a>".encode("utf-16"),
        b"\xfe\xff" + '<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode("utf-16-be"),
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("latin-1"),
        "<?xml version='1.0' encoding='windows-1252' standalone='yes'?><a>é</a>".encode("cp1252"),
        '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode("latin-1"),
        '<?xml version="1.0" encoding="US-ASCII"?><a>é</a>'.encode(),
    ],
)
def test_honest_encodings_are_read(body):
    assert xml.to_plain(xml.parse(body, "the answer")) == "é"


def test_forbidden_characters_cost_themselves_only():
    body = "<a><b>x\x01y&#x1;&#xD83D;&#56832;&#11;\ufffe</b><b>\U0001f600&#128512;&#13;\t</b></a>".encode()
    body = body.replace(b"y&", b"\xed\xa0\xbdy&")
    split = xml.split(body, "b", "the answer", xml.read_text)
    assert split.values == ["x\ufffd\ufffdy\ufffd\U0001f600\ufffd\ufffd", "\U0001f600\U0001f600\r\t"]
    assert [xml.read_text(xml.parse(record, "the record")) for record in split.records] == split.values


MEANT = {
    "Windows-1252 bytes": (b"Don\x92t \x80 5", "Don\u2019t \u20ac 5"),
    "HTML's entities": (b"a&nbsp;b&eacute;&amp;&lt;", "a\xa0b\xe9&<"),
    "bare ampersands": (b"Fish & Chips & co; &", "Fish & Chips & co; &"),
    "CESU-8": (b"\xed\xa0\xbd\xed\xb8\x80 sale", "\U0001f600 sale"),
    "two references": (b"&#55357;&#56832;&#xD83D;&#xDE00;", "\U0001f600\U0001f600"),
    "a tab and a line": (b"a\tb\nc", "a\tb\nc"),
    "CDATA keeps its ampersands": (b"<![CDATA[a & b &nbsp;]]>&nbsp;", "a & b &nbsp;\xa0"),
}


@pytest.mark.parametrize(("sent", "meant"), MEANT.values(), ids=MEANT)
def test_what_is_certain_is_mended(sent, meant):
    body = b"<all><row>1</row><row>%s</row><row>3</row></all>" % sent
    split = xml.split(body, "row", "the answer", xml.read_text)
    assert split.values == ["1", meant, "3"]
    assert [xml.read_text(xml.parse(record, "the record")) for record in split.records] == split.values


UNREADABLE = [b"\x81", b"&nobody;", b"<b>", b"<", b"</b>", b'<b c="1" c="2"/>', b"<x:b/>", b"&#x110000;<b a=1/>"]


@pytest.mark.parametrize("odd", UNREADABLE)
@pytest.mark.parametrize("rows", [1, 3, 3000])
def test_an_unreadable_record_comes_as_its_bytes_and_costs_no_other(odd, rows):
    records = [b"<row>%d</row>" % n for n in range(rows)]
    records[rows // 2] = b"<row>%s</row>" % odd
    split = xml.split(b"<all>" + b"\n".join(records) + b"<n>7</n></all>", "row", "the answer", xml.read_text)
    assert split.records == records
    assert split.values == [None if n == rows // 2 else str(n) for n in range(rows)]
    assert xml.to_plain(split.rest) == {"n": "7"}
    with pytest.raises(BadResponse):
        xml.parse(split.records[rows // 2], "the record")


@given(st.binary(min_size=1, max_size=3), st.integers(0, 10_000))
def test_bytes_that_strike_anywhere_lose_at_most_the_record_they_strike(odd, at):
    records = [b"<row><id>%d</id><s>text</s></row>" % n for n in range(9)]
    body = b'<all xmlns="urn:v">' + b"".join(records) + b"</all>"
    at %= len(body)
    with contextlib.suppress(BadResponse):
        split = xml.split(body[:at] + odd + body[at:], "row", "the answer", xml.to_plain)
        whole = [value for value in split.values if isinstance(value, dict) and value.get("s") == "text"]
        assert len(split.records) >= 8
        assert len(whole) >= 8 or len(split.records) == 9


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_document_that_was_cut_off_is_never_mended(cut):
    body = b"<all><row>Fish & Chips</row><row>2</row><row>&nbsp;</row></all>"
    with pytest.raises(BadResponse):
        xml.split(body[:-cut], "row", "the answer", xml.read_text)


@pytest.mark.parametrize(("charset", "text"), [("windows-1252", "\u2019"), ("ISO-8859-1", "\u2019"), (None, "\u2019")])
def test_the_header_names_an_encoding_where_the_document_does_not(charset, text):
    assert xml.read_text(xml.parse(b"<a>\x92</a>", "the answer", charset)) == text


def test_each_record_stands_alone():
    body = f'<p:all {NS} xmlns:p="urn:p"><n>7</n><row i:nil="true"/> tail <!-- no --><row><p:x/></row><m>8</m></p:all>'
    split = xml.split(body.encode(), "row", "the answer", xml.to_plain)
    assert split.values == [None, {"x": None}]
    first, second = (xml.parse(record, "the record") for record in split.records)
    assert xml.is_nil(first)
    assert xml.find_child(second, "x").tag == "{urn:p}x"
    assert first.tag == second.tag == "{urn:v}row"
    assert b"tail" not in split.records[0]
    assert xml.read_name(split.rest) == "all"
    assert xml.to_plain(split.rest) == {"n": "7", "m": "8"}


def test_records_are_children_of_the_root():
    split = xml.split(b"<row><row><row>1</row></row><x><row>2</row></x></row>", "row", "the answer", xml.to_plain)
    assert split.records == [b"<row><row>1</row></row>"]
    assert xml.to_plain(split.rest) == {"x": {"row": "2"}}


def test_no_records():
    assert xml.split(b"<all/>", "row", "the answer", xml.read_text).records == []


def test_many_records_across_the_parsers_chunks():
    rows = [f'<row n="{n}">{"é" * (n % 50)}<!-- c --></row>\n{" " * (n % 7)}' for n in range(5_000)]
    split = xml.split(f"<all>tick{''.join(rows)}</all>".encode(), "row", "the answer", lambda row: row.get("n"))
    assert split.values == [str(n) for n in range(5_000)]
    assert split.records[99] == f'<row n="99">{"é" * 49}</row>'.encode()
    assert len(split.rest) == 0


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("<a/>", None),
        ("<a></a>", None),
        ("<a> </a>", " "),
        ('<a i:nil="true">x</a>', "x"),
        ('<a i:nil="true"> <b>1</b></a>', {"b": "1"}),
        ("<a>x<b>1</b> y<c/>z</a>", {"b": "1", "c": None, "content": "x yz"}),
        ("<a><b>1</b> <content>2</content>y</a>", {"b": "1", "content": ["2", " y"]}),
        ('<a i:nil="1"/>', None),
        ('<a i:nil="false">x</a>', "x"),
        ("<a><b>1</b> <c/></a>", {"b": "1", "c": None}),
        ("<a><b>1</b><b/><b>3</b></a>", {"b": ["1", None, "3"]}),
        ('<a k="v" i:type="x">t</a>', {"k": "v", "content": "t"}),
        ('<a><b k="v"/><b>2</b></a>', {"b": [{"k": "v"}, "2"]}),
        ("<a><![CDATA[<b>&]]></a>", "<b>&"),
        ("<a>x<!-- no -->y<?no no?>z</a>", "xyz"),
    ],
)
def test_plain_values(body, value):
    assert xml.to_plain(xml.parse(body.replace("<a", f"<a {NS}", 1).encode(), "the answer")) == value


def test_small_helpers():
    element = xml.parse(f'<a {NS}><b>1</b><c i:nil="true"> </c><d/></a>'.encode(), "the answer")
    assert xml.read_text(xml.find_child(element, "b")) == "1"
    assert [xml.read_text(xml.find_child(element, name)) for name in "cdx"] == [None, None, None]


@pytest.mark.parametrize("body", ["<r>x{0}{0}</r>", "<r>{0}x{0}</r>", "<r>{0}{0}x</r>", "<r>{0}<o/>x{0}</r>"])
@pytest.mark.parametrize("record", ["<i/>", "<i><n>1</n>t</i>", "<i>&bad;</i>"])
def test_text_between_records_is_said(body, record):
    found = [xml.split(text.format(record).encode(), "i", "it", str) for text in (body, body.replace("x", "\n "))]
    assert [(len(one.records), one.has_text) for one in found] == [(2, True), (2, False)]


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@given(st.lists(texts, max_size=20), texts)
def test_whatever_xml_can_say_comes_back(values, attribute):
    top = etree.Element("{urn:v}all", k=attribute.replace("\ufffe", "").replace("\uffff", ""))
    clean = [value.replace("\ufffe", "").replace("\uffff", "") for value in values]
    for value in clean:
        etree.SubElement(top, "{urn:v}row").text = value
    split = xml.split(etree.tostring(top, encoding="utf-8"), "row", "the answer", xml.read_text)
    assert split.values == [value or None for value in clean]
    assert [xml.read_text(xml.parse(record, "the record")) for record in split.records] == split.values


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(body):
    for read in (xml.parse, lambda given, what: xml.split(given, "b", what, xml.to_plain)):
        with contextlib.suppress(BadResponse):
            read(body, "the answer")
    assert isinstance(xml_source.find_root(body), str)
