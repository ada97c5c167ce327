"""Whether a response reports a failure, and with which code."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from airflow_provider_interactions.errors import BadResponse
from airflow_provider_interactions.vendors.capillary.responses import Body, Customer, Envelope
from airflow_provider_interactions.vendors.capillary.values import decode_as, is_nothing, to_list
from airflow_provider_interactions.vendors.shared import json

# Error messages show the code, so it must be shorter than any identifier of a customer.
_CODE = re.compile(r"-?[0-9]{1,6}")

#: The words for success and failure that are known, in lower case. Any other word makes the response unreadable.
_FLAGS = {"true": True, "1": True, "yes": True, "y": True, "false": False, "0": False, "no": False, "n": False}

#: Codes of a request's status that do not contradict a response without a flag.
_FINE = ("", "200", "201")


class _Status(msgspec.Struct):
    success: Any = None
    code: Any = None
    response_code: Any = None


def find_fault(found: Body) -> str | None:
    """The code of a failure that a response reports: empty if it has no code, None if it does not report a failure.

    The flag decides, not the code: resources use different codes for success. Warnings are not failures.
    Raises BadResponse for a flag that is neither a known yes nor a known no.
    """
    if not is_nothing(found.errors):
        codes = [_read_code(decode_as(one, _Status)) for one in to_list(found.errors) if one[:1] == b"{"]
        return next(filter(None, codes), "")
    for response in to_list(found.response):
        return _find_old_fault(response)
    return None


def _find_old_fault(response: bytes) -> str | None:
    outer = decode_as(response, Envelope)
    # One sister resource has the flag directly under "response".
    status = decode_as(next(iter(to_list(outer.status)), response), _Status)
    code = _read_code(status) if _has_failed(status) else None
    if code not in (None, "", "500"):
        return code
    for customer in to_list(outer.customer):
        for one in to_list(decode_as(customer, Customer).item_status):
            item = decode_as(one, _Status)
            if _read_flag(item.success) is False:
                return _read_code(item) or code or ""
    return code


def _has_failed(status: _Status) -> bool:
    flag = _read_flag(status.success)
    return not flag if flag is not None else _read_code(status) not in _FINE


def _read_code(status: _Status) -> str:
    code = status.code if status.code is not None else status.response_code
    found = _CODE.fullmatch(str(code).strip())
    return found[0] if found and code is not None else ""


def _read_flag(flag: object) -> bool | None:
    """A flag's meaning, None if it is absent; raises BadResponse for an unknown word."""
    written = json.spell_integer(str(flag).strip().lower())
    if written in ("none", "null", ""):
        return None
    if written not in _FLAGS:
        msg = "the response does not say whether it is a success"
        raise BadResponse(msg)
    return _FLAGS[written]
