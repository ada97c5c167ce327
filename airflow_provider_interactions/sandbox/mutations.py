"""Odd responses made of good ones: one change to a body, chosen by a seed, so that every change can be made again.

A body is changed as a tree (``json_mutations``, ``xml_mutations``) or as bytes (``byte_mutations``). The fault kind
``mutate`` sends the result; tests use the same function without a server.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from airflow_provider_interactions.sandbox import byte_mutations, json_mutations

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
        changed = _change_tree(body, random)
        if changed is not None:
            name, where, found = changed
            return Mutation(seed, name, where, found)
    name, found, removed = byte_mutations.change(body, random)
    return Mutation(seed, name, "bytes", found, removed)


def _change_tree(body: bytes, random: Random) -> tuple[str, str, bytes] | None:
    if body.lstrip()[:1] != b"<":
        return json_mutations.change(body, random)
    from airflow_provider_interactions.sandbox import xml_mutations

    return xml_mutations.change(body, random)
