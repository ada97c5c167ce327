"""getGroupMembers: at most 1000 members and no pages.

Source: its page (open.convio.com/api/apidoc) and the older one (open.convio.com/api/constituent-api), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_interactions.sandbox.luminate_online.answers import RefusedError, form_of
from airflow_provider_interactions.sandbox.luminate_online.criteria import whole_number
from airflow_provider_interactions.sandbox.luminate_online.records import identifiers
from airflow_provider_interactions.sandbox.luminate_online.wire import tree
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import World, active, person

GROUP_PARAMETERS = frozenset({"group_id", "fields", "max_number"})

#: group id -> whether a constituent of this index is in it: all, the active ones, a single one, nobody
_GROUPS: dict[int, Callable[[World, int], bool]] = {
    1001: lambda _, __: True,
    1002: active,
    1003: lambda _, index: index == 0,
    1004: lambda _, __: False,
}
#: the older page asks for nested elements with dots, the newer one has flat names; that answers are nested is an
#: inference
_FIELDS = {
    "cons_id": "cons_id",
    "member_id": "member_id",
    "first_name": "name.first",
    "last_name": "name.last",
    "primary_email": "email.primary_address",
}


def get_group_members(site: Site, asked: Mapping[str, str]) -> bytes:
    """The first members of a group, and how many it has."""
    found = _members(site.world, asked)
    limit = min(whole_number(asked, "max_number", site.options.group_cap), site.options.group_cap)
    paths = _paths(asked.get("fields") or ",".join(_FIELDS))
    members = [_member(site.world, index, paths) for index in found[:limit]]
    return tree(form_of(asked), "getGroupMembersResponse", {"total_number": str(len(found)), "member": members})


def _members(world: World, asked: Mapping[str, str]) -> list[int]:
    if not asked.get("group_id"):
        raise RefusedError(9, "The parameter group_id is required.")
    belongs = _GROUPS.get(whole_number(asked, "group_id", 0, code=19))
    if belongs is None:
        raise RefusedError(19, "Group membership error: there is no such group.")
    return [index for index in range(world.contacts) if belongs(world, index)]


def _paths(fields: str) -> list[str]:
    paths = [_FIELDS.get(name.strip(), name.strip()) for name in fields.split(",")]
    for path in paths:
        if path not in _FIELDS.values():
            raise RefusedError(18, f"The field '{path}' did not match any record.")
    return paths


def _member(world: World, index: int, paths: list[str]) -> dict[str, Any]:
    who, ids = person(world, index), identifiers(world, index)
    values = ids | {"name.first": who.first, "name.last": who.last, "email.primary_address": who.email}
    member: dict[str, Any] = {}
    for path in paths:
        parent, _, child = path.partition(".")
        if child:
            member.setdefault(parent, {})[child] = values[path]
        else:
            member[path] = values[path]
    return member
