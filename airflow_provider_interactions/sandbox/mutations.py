"""Odd answers made of good ones: one change to a body, chosen by a seed, so that every change can be made again.

A body is changed as a tree (JSON, JSON inside a JSON text, XML) or as bytes. The fault kind ``mutate`` sends what comes
out; tests use the same function without a server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

#: Share of the changes that look at bytes, not at a tree.
_BYTES_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change. ``name`` says what was done, ``where`` to which node: ``$.value[].id`` has no numbers.

    ``removed`` holds the bytes that a change of bytes took away.
    """

    seed: int
    name: str
    where: str
    body: bytes
    removed: bytes = b""

    def __str__(self) -> str:
        return f"{self.name} at {self.where} (seed {self.seed})"


def mutate(body: bytes, seed: int) -> Mutation:
    """Change a body once; equal seeds change equal bodies equally."""
    random = Random(seed)  # noqa: S311 - no secret
    if random.random() >= _BYTES_SHARE:
        changed = _changed_tree(body, random)
        if changed is not None:
            name, where, found = changed
            return Mutation(seed, name, where, found)
    name, found, removed = _changed_bytes(body, random)
    return Mutation(seed, name, "bytes", found, removed)


def _changed_tree(body: bytes, random: Random) -> tuple[str, str, bytes] | None:
    if body.lstrip()[:1] == b"<":
        from airflow_provider_interactions.sandbox.xml_mutations import change

        return change(body, random)
    try:
        root = [_read(json.loads(body, object_pairs_hook=_Object))]
    except ValueError:
        return None
    nodes = list(_walk(root, 0, "$"))
    depth = random.choice(sorted({node.where.count(".") + node.where.count("[") for node in nodes}))
    node = random.choice([node for node in nodes if node.where.count(".") + node.where.count("[") == depth])
    name = random.choice(sorted(_CHANGES))
    for _ in range(20):
        if _CHANGES[name](node, random):
            break
        name = random.choice(sorted(_CHANGES))
    return name, node.where, _write(root[0], ascii_only=random.random() < 0.5).encode("utf-8", "surrogatepass")


# ---- JSON as a tree that keeps the order of keys, and keys that come twice


class _Object(list[Any]):
    """The members of an object: lists of key and value."""

    def __init__(self, pairs: Any) -> None:
        super().__init__([key, value] for key, value in pairs)


class _Inside(list[Any]):
    """A text that holds JSON: a list of its one value."""


@dataclass(slots=True)
class _Node:
    """A place that holds a value: the list it lies in, and where. ``member`` is the key and value of an object's."""

    holder: list[Any]
    at: int
    where: str
    member: bool = False
    owner: list[Any] | None = None

    @property
    def value(self) -> Any:
        return self.holder[self.at]

    @value.setter
    def value(self, value: Any) -> None:
        self.holder[self.at] = value


def _read(value: Any) -> Any:
    """The same tree, texts that are JSON taken apart as well."""
    if isinstance(value, _Object):
        for pair in value:
            pair[1] = _read(pair[1])
    elif isinstance(value, list):
        value[:] = map(_read, value)
    elif isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return _Inside([_read(json.loads(value, object_pairs_hook=_Object))])
        except ValueError:
            return value
    return value


def _write(value: Any, *, ascii_only: bool) -> str:
    if isinstance(value, _Object):
        return "{" + ",".join(f"{json.dumps(k)}:{_write(v, ascii_only=ascii_only)}" for k, v in value) + "}"
    if isinstance(value, _Inside):
        return json.dumps(_write(value[0], ascii_only=ascii_only), ensure_ascii=ascii_only)
    if isinstance(value, list):
        return "[" + ",".join(_write(one, ascii_only=ascii_only) for one in value) + "]"
    return value.text if isinstance(value, _Literal) else json.dumps(value, ensure_ascii=ascii_only)


@dataclass(slots=True)
class _Literal:
    """A number in a spelling of its own."""

    text: str


def _walk(holder: list[Any], at: int, where: str, owner: list[Any] | None = None) -> Iterator[_Node]:
    value = holder[at]
    yield _Node(holder, at, where, owner is not None, owner)
    if isinstance(value, _Inside):
        value, holder = value[0], value
    if isinstance(value, _Object):
        for pair in value:
            yield from _walk(pair, 1, f"{where}.{pair[0]}", value)
    elif isinstance(value, list):
        for n in range(len(value)):
            yield from _walk(value, n, f"{where}[]")


# ---- changes of a node; each returns whether it could be made


def _drop(node: _Node, _: Random) -> bool:
    if node.owner is not None:
        node.owner.remove(node.holder)
    elif node.where.endswith("[]"):
        del node.holder[node.at]
    return node.owner is not None or node.where.endswith("[]")


def _rename(node: _Node, random: Random) -> bool:
    if node.owner is None:
        return False
    key = node.holder[0]
    node.holder[0] = random.choice([f"{key}s", f"{key}_", f"new{key}", f"{key[:-1]}", f" {key}", f"{key}Value"])
    return True


def _recase(node: _Node, random: Random) -> bool:
    if node.owner is None:
        return False
    key = str(node.holder[0])
    others = sorted({key.lower(), key.upper(), key.swapcase(), key[:1].swapcase() + key[1:]} - {key})
    if others:
        node.holder[0] = random.choice(others)
    return bool(others)


def _nest(node: _Node, random: Random) -> bool:
    key = random.choice(["value", "data", "result", "d", "response", "items"])
    node.value = random.choice([[node.value], _Object([(key, node.value)])])
    return True


def _unwrap(node: _Node, random: Random) -> bool:
    value = node.value
    if not isinstance(value, list) or not value:
        return False
    node.value = random.choice([pair[1] for pair in value] if isinstance(value, _Object) else value[:3])
    return True


def _nothing(node: _Node, _: Random) -> bool:
    node.value = None
    return True


def _empty(node: _Node, _: Random) -> bool:
    """Nothing of the same type."""
    value = node.value
    kinds: list[tuple[type, Any]] = [(_Object, _Object(())), (_Inside, _Inside([[]])), (list, []), (str, ""), (int, 0)]
    node.value = next((none for kind, none in kinds if isinstance(value, kind)), None)
    return value is not None


def _empty_otherwise(node: _Node, random: Random) -> bool:
    node.value = random.choice(["", " ", "null", "[]", "{}", [], _Object(()), [None], False, 0, "0", "false"])
    return True


def _retype(node: _Node, random: Random) -> bool:
    value = node.value
    if isinstance(value, _Inside):
        node.value = value[0]
    elif isinstance(value, _Object):
        node.value = random.choice([[pair[1] for pair in value], _write(value, ascii_only=False)])
    elif isinstance(value, list):
        numbered = _Object((str(n), one) for n, one in enumerate(value))
        node.value = random.choice([numbered, _write(value, ascii_only=False)])
    elif isinstance(value, bool):
        node.value = random.choice([str(value).lower(), int(value), not value])
    elif isinstance(value, int | float):
        node.value = random.choice([str(value), f"{value}.0", _Literal(f"{value:.15e}"), _Literal(f"{value}.0")])
    elif isinstance(value, str):
        node.value = _other_text(value, random)
    return value is not None


def _other_text(value: str, random: Random) -> Any:
    if value.isdecimal():
        grouped, spaced = f"{int(value):,}", random.choice([f" {value}", f"{value} "])
        return random.choice([int(value), _Literal(f"{int(value)}.0"), grouped, spaced, _Literal(f"{int(value):.15e}")])
    return random.choice([[value], _Object([("value", value)]), f" {value} ", True, len(value)])


def _error_beside(node: _Node, random: Random) -> bool:
    if not isinstance(node.value, _Object):
        return False
    fault = _Object([("code", "0x80040216"), ("message", "An unexpected error occurred.")])
    key = random.choice(["error", "errors", "Error", "fault", "exception", "odata.error"])
    node.value.insert(random.choice([0, len(node.value)]), [key, random.choice([fault, [fault]])])
    return True


def _error_instead(node: _Node, random: Random) -> bool:
    fault = _Object([("code", random.choice([500, "0x80040216", "-1"])), ("message", "An unexpected error occurred.")])
    key = random.choice(["error", "errors", "Error", "fault", "exception"])
    node.value = random.choice(
        [fault, _Object([(key, fault)]), _Object([(key, [fault])]), _Object([("message", "no")])]
    )
    return True


def _unknown_beside(node: _Node, random: Random) -> bool:
    if not isinstance(node.value, _Object):
        return False
    node.value.insert(random.randint(0, len(node.value)), ["aNewField", random.choice([1, "x", None, [], True])])
    return True


def _twice(node: _Node, _: Random) -> bool:
    """The same member or element again, right behind."""
    if node.owner is None:
        node.holder.insert(node.at, node.value)
        return node.where != "$"
    node.owner.insert(node.owner.index(node.holder), list(node.holder))
    return True


def _key_again(node: _Node, random: Random) -> bool:
    """A key once more, with nothing in it."""
    if node.owner is None:
        return False
    nothing: Any = random.choice([None, "", "[]", [], _Object(()), 0])
    node.owner.insert(random.choice([0, len(node.owner)]), [node.holder[0], nothing])
    return True


def _reorder(node: _Node, random: Random) -> bool:
    if isinstance(node.value, _Object):
        random.shuffle(node.value)
    return isinstance(node.value, _Object)


_CHANGES: dict[str, Callable[[_Node, Random], bool]] = {
    "drop": _drop,
    "rename": _rename,
    "recase": _recase,
    "nest": _nest,
    "unwrap": _unwrap,
    "null": _nothing,
    "empty": _empty,
    "empty otherwise": _empty_otherwise,
    "retype": _retype,
    "error beside": _error_beside,
    "error instead": _error_instead,
    "unknown beside": _unknown_beside,
    "twice": _twice,
    "key again": _key_again,
    "reorder": _reorder,
}


# ---- changes of bytes: each gives the new body, and what was taken away


def _changed_bytes(body: bytes, random: Random) -> tuple[str, bytes, bytes]:
    name = random.choice(sorted(_BYTES))
    found, removed = _BYTES[name](body, random)
    return name, found, removed


def _truncate(body: bytes, random: Random) -> tuple[bytes, bytes]:
    at = random.choice([0, 1, random.randint(0, len(body)), max(0, len(body) - random.randint(1, 20))])
    return body[:at], body[at:]


def _cut(body: bytes, random: Random) -> tuple[bytes, bytes]:
    at, size = random.randint(0, len(body)), random.randint(1, 12)
    return body[:at] + body[at + size :], body[at : at + size]


def _flip(body: bytes, random: Random) -> tuple[bytes, bytes]:
    if not body:
        return b"\x00", b""
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << random.randrange(8))]) + body[at + 1 :], b""


def _insert(body: bytes, random: Random) -> tuple[bytes, bytes]:
    at = random.randint(0, len(body))
    odd = [b"\x00", b"\t", b"\n", b"\xe9", b"\x92", b"\xff", b"\xc3", b"&", b"<", b"&nbsp;", b"\\", b'"', b"\\ud800"]
    return body[:at] + random.choice([*odd, b"\xed\xa0\xbd\xed\xb8\x80", b"&#xD83D;&#xDE00;", b"\x1b"]) + body[at:], b""


def _encode(name: str) -> Callable[[bytes, Random], tuple[bytes, bytes]]:
    def encode(body: bytes, _: Random) -> tuple[bytes, bytes]:
        return body.decode("utf-8", "replace").encode(name, "replace"), b""

    return encode


def _page(_: bytes, random: Random) -> tuple[bytes, bytes]:
    pages = [
        b"<!DOCTYPE html><html><body>Sorry</body></html>",
        b"<html></html>",
        b"Service unavailable",
        b"OK",
        b"<a/>",
    ]
    return random.choice([*pages, b"null", b"[]", b"{}", b'""', b"0", b"true", b" ", b"<?xml version='1.0'?>"]), b""


def _append(body: bytes, random: Random) -> tuple[bytes, bytes]:
    return body + random.choice([b"\x00\x00", b"}", b"]", b"<!-- -->", b"x", body, b"\n[]", b"\r\n\r\n"]), b""


def _as_text(body: bytes, _: Random) -> tuple[bytes, bytes]:
    return json.dumps(body.decode("utf-8", "replace")).encode(), b""


_BYTES: dict[str, Callable[[bytes, Random], tuple[bytes, bytes]]] = {
    "truncate": _truncate,
    "cut bytes": _cut,
    "flip a bit": _flip,
    "insert bytes": _insert,
    "as Latin-1": _encode("latin-1"),
    "as Windows-1252": _encode("cp1252"),
    "as UTF-16": _encode("utf-16"),
    "as UTF-16 without a mark": _encode("utf-16-be"),
    "with a byte order mark": _encode("utf-8-sig"),
    "another page": _page,
    "append": _append,
    "as a JSON text": _as_text,
}
