"""Read a policy for personal data as people write it, and check it.

::

    {"preset": "mask", "fields": {"subject": "keep", "attributes.receiver": "hmac"}, "key": "pseudonyms"}

A field is a canonical column, or a path in ``attributes`` by dots. Put a name with a dot into double quotes.
Names in a path match in any case. A path goes through lists: it is about each of their members.

The most specific rule counts: ``fields``, then ``preset`` (the vendor's fields in ``About.personal``), then the
vendor's own rules (``About.policy``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from airflow_provider_interactions.about import About
from airflow_provider_interactions.connection import ConnectionFields
from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.normalize.policy import ATTRIBUTES, Action, Key, Policy
from airflow_provider_interactions.schema import CANONICAL, KEY

#: The fewest characters of a key: 32 hexadecimal digits are 128 bits.
SHORTEST_SECRET = 32

#: A policy as people write it: a mapping, or the action of its preset. Connections hold the mapping as JSON text.
GivenPolicy = Mapping[str, Any] | str | None

#: Finds a key by the id of its connection. Raises ConfigError.
FindKey = Callable[[str], Key]

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_PATH = re.compile(r'\.(?:"([^"]+)"|([^."]+))')


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a policy.

    ``preset`` is the action for all fields in which the vendor is known to send personal data. ``fields`` holds an
    action for each field. ``key`` is the id of the connection with the key of ``hmac``.
    """

    preset: str = Action.KEEP.value
    fields: dict[str, str] = {}
    key: str = ""


def read_policy(about: About, given: GivenPolicy, find_key: FindKey) -> Policy:
    """Check a policy for a vendor. None means the vendor's own rules. Raises ConfigError that names what is wrong.

    Calls ``find_key`` only if a value is to be hashed.
    """
    found = _convert(given)
    preset = dict.fromkeys(about.personal, found.preset) if found.preset != Action.KEEP else {}
    _check_action("preset", found.preset)
    chosen = dict[tuple[str, ...], Action]()
    for rules in (about.policy, preset, found.fields):
        chosen |= {_spell(field): _check_action(field, action) for field, action in rules.items()}
    columns = {field[0]: action for field, action in chosen.items() if len(field) == 1}
    for name, action in columns.items():
        _check_column(name, action)
    changed = {name: action for name, action in columns.items() if action is not Action.KEEP}
    tree = _build_rules({field[1:]: action for field, action in chosen.items() if len(field) > 1})
    is_hashed = Action.HMAC in chosen.values()
    key = _find_key(found.key, find_key) if is_hashed else None
    return Policy(changed, tree, key, _digest(changed, tree, key))


def read_key(connection: ConnectionFields) -> Key:
    """The key that a connection holds: its id is the login, the secret is the password. Raises ConfigError."""
    name, secret = connection.login or "", connection.password or ""
    if not _KEY_ID.fullmatch(name):
        msg = (
            f"The login of connection {connection.conn_id} must be the id of a key: 1 to 32 letters, digits, dots, "
            "dashes or underscores. Rows name the key by it."
        )
        raise ConfigError(msg)
    if len(secret) < SHORTEST_SECRET:
        msg = (
            f"The password of connection {connection.conn_id} must be a key of at least {SHORTEST_SECRET} characters. "
            "Make one with: openssl rand -hex 32"
        )
        raise ConfigError(msg)
    return Key(name, secret.encode())


def _convert(given: GivenPolicy) -> Given:
    try:
        if isinstance(given, str):
            given = json.loads(given) if given.lstrip().startswith("{") else {"preset": given}
        return msgspec.convert({} if given is None else given, Given)
    except (ValueError, msgspec.ValidationError) as wrong:  # msgspec's names the key
        reason = str(wrong) if isinstance(wrong, msgspec.ValidationError) else "it is not JSON"
        msg = f"The policy cannot be used: {reason}. Its keys are: {', '.join(Given.__struct_fields__)}."
        raise ConfigError(msg) from None


def _check_action(field: str, action: str) -> Action:
    try:
        return Action(action)
    except ValueError:
        msg = f"The policy has no action {action!r} for {field}. Use one of: {', '.join(Action)}."
        raise ConfigError(msg) from None


def _spell(field: str) -> tuple[str, ...]:
    """A field as the names of its path: a column, or ``attributes`` and the case-folded names below it."""
    column, dot, rest = field.partition(".")
    if column in CANONICAL.names and not dot:
        return (column,)
    names = [quoted or plain for quoted, plain in _PATH.findall(dot + rest)]
    if column != ATTRIBUTES or not names or _PATH.sub("", dot + rest):
        msg = (
            f"The policy names {field!r}, which is neither a canonical column nor a path such as {ATTRIBUTES}.receiver "
            f"(put a name with a dot into double quotes). Columns are: {', '.join(CANONICAL.names)}."
        )
        raise ConfigError(msg)
    return (column, *(name.casefold() for name in names))


def _check_column(name: str, action: Action) -> None:
    allowed = list_actions(name)
    if action not in allowed:
        msg = f"The policy cannot {action} the column {name}. Its actions are: {', '.join(allowed)}."
        raise ConfigError(msg)


def list_actions(name: str) -> tuple[Action, ...]:
    """The actions that a column admits. A key must stay one, a time stays a time, and windows need theirs."""
    column = CANONICAL.field(name)
    if name in KEY and name != "interaction_id":
        return (Action.KEEP,)
    if name == ATTRIBUTES or column.type != pa.string():
        return (Action.KEEP, Action.DROP) if name == ATTRIBUTES or column.nullable else (Action.KEEP,)
    if name == "interaction_id":
        return (Action.KEEP, Action.HMAC)
    return tuple(action for action in Action if column.nullable or action is not Action.DROP)


def _build_rules(paths: Mapping[tuple[str, ...], Action]) -> dict[str, Any]:
    """The paths that are to be changed as a tree. Raises ConfigError for a path below one of them."""
    changed = {path: action for path, action in paths.items() if action is not Action.KEEP}
    tree: dict[str, Any] = {}
    for path in paths:
        if any(path[:end] in changed for end in range(1, len(path))):
            msg = (
                f"The policy names {'.'.join((ATTRIBUTES, *path))}, and also changes what is around it. Leave one of "
                "them out."
            )
            raise ConfigError(msg)
    for path, action in changed.items():
        branch = tree
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
        branch[path[-1]] = action
    return tree


def _find_key(conn_id: str, find_key: FindKey) -> Key:
    if not conn_id:
        msg = 'The policy has the action hmac, but no key. Add "key": the id of the connection that holds it.'
        raise ConfigError(msg)
    return find_key(conn_id)


def _digest(columns: Mapping[str, Action], rules: Mapping[str, Any], key: Key | None) -> str:
    if not columns and not rules:
        return ""
    facts = msgspec.json.encode([columns, rules, key and key.id], order="sorted")
    return hashlib.sha256(facts).hexdigest()[:16]
