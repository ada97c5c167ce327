"""Token answers of every vendor with tokens, in all the shapes that hosts give them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_interactions.contract import Response
from airflow_provider_interactions.errors import AuthRejected, BadResponse
from airflow_provider_interactions.vendors.capillary import auth as capillary
from airflow_provider_interactions.vendors.shared import entra
from airflow_provider_interactions.vendors.shared.encoding import BYTE_ORDER_MARK
from airflow_provider_interactions.vendors.which50 import auth as which50

CASES = Path(__file__).parents[1] / "cases"
ABSENT = object()


def flat(token, seconds):
    return {"access_token": token} | ({} if seconds is ABSENT else {"expires_in": seconds})


def nest_token(token, seconds):
    return {"data": {"accessToken": token} | ({} if seconds is ABSENT else {"ttlSeconds": seconds})}


#: How a vendor reads a token, how its host writes one, the seconds of one without a lifetime, and an error of it.
VENDORS = {
    "dynamics_marketing": (entra.read_token, flat, 3600.0, {"error": "invalid_client"}),
    "which50": (which50.read_token, flat, 3600.0, {"error": "invalid_grant"}),
    "capillary": (capillary.read_token, nest_token, 300.0, {"data": None, "errors": [{"code": 1}]}),
}
ALL = pytest.mark.parametrize("vendor", VENDORS)


def read(vendor, seconds, status=200, mark=b""):
    reader, written, _, _ = VENDORS[vendor]
    return reader(Response(status, {}, mark + json.dumps(written("tok", seconds)).encode()))


@ALL
@pytest.mark.parametrize(
    ("seconds", "life"),
    [(3599, 3599), ("3599", 3599), (3599.0, 3599), ("3599.0", 3599), (" 3599 ", 3599), (0.5, 0.5)],
)
def test_a_lifetime_in_any_dress(vendor, seconds, life):
    assert read(vendor, seconds).expires_in == life


@ALL
@pytest.mark.parametrize("seconds", [ABSENT, None, 0, -1, "0", "", "soon", "nan", "inf", True, [], {}, "3,599"])
def test_without_a_lifetime_a_token_is_used_until_it_is_refused(vendor, seconds):
    assert read(vendor, seconds) == VENDORS[vendor][0](
        Response(200, {}, json.dumps(VENDORS[vendor][1]("tok", VENDORS[vendor][2])).encode())
    )


@ALL
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
        st.lists,
    )
)
def test_no_lifetime_costs_the_token(vendor, seconds):
    found = read(vendor, seconds)
    assert found.value == "tok"
    assert 0 < found.expires_in < float("inf")


@ALL
@pytest.mark.parametrize("status", [200, 201, 203])
@pytest.mark.parametrize("mark", [b"", BYTE_ORDER_MARK])
def test_another_good_status_and_a_byte_order_mark(vendor, status, mark):
    assert read(vendor, 60, status, mark).value == "tok"


@ALL
@pytest.mark.parametrize("body", [b"", b" ", b"null", b"[]", b"<html>", b"{", b'"tok"', b"\xff"])
def test_a_body_without_a_token_may_be_a_fault_and_not_the_credentials(vendor, body):
    with pytest.raises(BadResponse, match="response"):
        VENDORS[vendor][0](Response(200, {}, body))


@ALL
@pytest.mark.parametrize("status", [200, 201, 400])
def test_an_error_in_a_good_answer_is_a_refusal(vendor, status):
    reader, _, _, error = VENDORS[vendor]
    with pytest.raises(AuthRejected):
        reader(Response(status, {}, json.dumps(error).encode()))


@ALL
@pytest.mark.parametrize("token", ["", "a\nb", "é", 7, ["tok"], {"a": 1}])
def test_a_token_that_no_header_can_carry_is_none(vendor, token):
    reader, written, _, _ = VENDORS[vendor]
    with pytest.raises((BadResponse, AuthRejected)):
        reader(Response(200, {}, json.dumps(written(token, 60)).encode()))


@pytest.mark.parametrize(("name", "life"), [("expires_in-text", 3599), ("without-expires_in", 3600)])
def test_the_cases(name, life):
    body = (CASES / f"F02-token-{name}.json").read_bytes()
    for reader in (entra.read_token, which50.read_token):
        found = reader(Response(200, {}, body))
        assert (found.value, found.expires_in) == ("tok", life)
