"""getGroupMembers: at most 1000 members and no pages.

Source: its page (open.convio.com/api/apidoc) and the older one (open.convio.com/api/constituent-api), read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_provider_interactions.sandbox.luminate_online.criteria import read_number
from airflow_provider_interactions.sandbox.luminate_online.fields import get_contact_id
from airflow_provider_interactions.sandbox.luminate_online.formats import encode_tree
from airflow_provider_interactions.sandbox.luminate_online.responses import RefusedError, get_form
from airflow_provider_interactions.sandbox.vendor import Site
from airflow_provider_interactions.sandbox.world import World, is_active

GROUP_PARAMETERS = frozenset({"group_id", "fields", "max_number"})

#: group id -> whether a constituent of this index is in it: all, the active ones, a single one, nobody
_GROUPS: dict[int, Callable[[World, int], bool]] = {
    1001: lambda _, __: True,
    1002: is_active,
    1003: lambda _, index: index == 0,
    1004: lambda _, __: False,
}


def get_group_members(site: Site, asked: Mapping[str, str]) -> bytes:
    """The first members of a group, and how many it has."""
    if not asked.get("group_id"):
        raise RefusedError(9, "The parameter group_id is required.")
    belongs = _GROUPS.get(read_number(asked, "group_id", 0, code=19))
    if belongs is None:
        raise RefusedError(19, "Group membership error: there is no such group.")
    if asked.get("fields") != "cons_id":
        raise RefusedError(18, "The sandbox's members have the field cons_id only.")
    found = [index for index in range(site.world.contacts) if belongs(site.world, index)]
    limit = min(read_number(asked, "max_number", site.options.group_cap), site.options.group_cap)
    members = [{"cons_id": get_contact_id(site.world, index)} for index in found[:limit]]
    value = {"total_number": str(len(found)), "member": members}
    return encode_tree(get_form(asked), "getGroupMembersResponse", value)
