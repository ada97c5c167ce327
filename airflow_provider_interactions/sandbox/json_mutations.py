"""Changes of JSON bodies, as ``mutations`` chooses them. Texts that hold JSON are changed inside, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any


def change(body: bytes, random: Random) -> tuple[str, str, bytes] | None:
    """Change one node; the change's name, the node's path and the new body. None if the body is not JSON."""
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


# A tree that keeps the order of keys, and keys that come twice.


class _Object(list[Any]):
    """The members of an object: lists of key and value."""

    def __init__(self, pairs: Any) -> None:
        super().__init__([key, value] for key, value in pairs)


class _Inside(list[Any]):
    """A text that holds JSON: a list of its one value."""


@dataclass(slots=True)
class _Node:
    """A place that holds a value: its list, and the position. ``member`` says that the list is a key and its value."""

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
    """The same tree, with texts that hold JSON decoded as well."""
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


# Changes of a node. Each returns whether it was possible.


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


def _change_case(node: _Node, random: Random) -> bool:
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


def _set_null(node: _Node, _: Random) -> bool:
    node.value = None
    return True


def _make_empty(node: _Node, _: Random) -> bool:
    """Nothing of the same type."""
    value = node.value
    kinds: list[tuple[type, Any]] = [(_Object, _Object(())), (_Inside, _Inside([[]])), (list, []), (str, ""), (int, 0)]
    node.value = next((none for kind, none in kinds if isinstance(value, kind)), None)
    return value is not None


def _make_empty_otherwise(node: _Node, random: Random) -> bool:
    node.value = random.choice(["", " ", "null", "[]", "{}", [], _Object(()), [None], False, 0, "0", "false"])
    return True


def _change_type(node: _Node, random: Random) -> bool:
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
        node.value = _respell_text(value, random)
    return value is not None


def _respell_text(value: str, random: Random) -> Any:
    if value.isdecimal():
        grouped, spaced = f"{int(value):,}", random.choice([f" {value}", f"{value} "])
        return random.choice([int(value), _Literal(f"{int(value)}.0"), grouped, spaced, _Literal(f"{int(value):.15e}")])
    return random.choice([[value], _Object([("value", value)]), f" {value} ", True, len(value)])


def _add_error(node: _Node, random: Random) -> bool:
    if not isinstance(node.value, _Object):
        return False
    fault = _Object([("code", "0x80040216"), ("message", "An unexpected error occurred.")])
    key = random.choice(["error", "errors", "Error", "fault", "exception", "odata.error"])
    node.value.insert(random.choice([0, len(node.value)]), [key, random.choice([fault, [fault]])])
    return True


def _replace_by_error(node: _Node, random: Random) -> bool:
    fault = _Object([("code", random.choice([500, "0x80040216", "-1"])), ("message", "An unexpected error occurred.")])
    key = random.choice(["error", "errors", "Error", "fault", "exception"])
    node.value = random.choice(
        [fault, _Object([(key, fault)]), _Object([(key, [fault])]), _Object([("message", "no")])]
    )
    return True


def _add_unknown(node: _Node, random: Random) -> bool:
    if not isinstance(node.value, _Object):
        return False
    node.value.insert(random.randint(0, len(node.value)), ["aNewField", random.choice([1, "x", None, [], True])])
    return True


def _repeat(node: _Node, _: Random) -> bool:
    """The same member or element again, right behind."""
    if node.owner is None:
        node.holder.insert(node.at, node.value)
        return node.where != "$"
    node.owner.insert(node.owner.index(node.holder), list(node.holder))
    return True


def _repeat_key(node: _Node, random: Random) -> bool:
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
    "recase": _change_case,
    "nest": _nest,
    "unwrap": _unwrap,
    "null": _set_null,
    "empty": _make_empty,
    "empty otherwise": _make_empty_otherwise,
    "retype": _change_type,
    "error beside": _add_error,
    "error instead": _replace_by_error,
    "unknown beside": _add_unknown,
    "twice": _repeat,
    "key again": _repeat_key,
    "reorder": _reorder,
}
