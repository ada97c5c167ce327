"""Parts of the vendors' pages: connections, kinds of interactions, refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markup import Rows, fold, format_code, format_table

from airflow_provider_interactions import errors, provider_info
from airflow_provider_interactions.vendors import NAMES, list_abouts, read_about
from airflow_provider_interactions.vendors.capillary import errors as capillary_errors
from airflow_provider_interactions.vendors.capillary import vocabulary as capillary_kinds
from airflow_provider_interactions.vendors.dynamics_journeys import errors as journeys_errors
from airflow_provider_interactions.vendors.dynamics_journeys import vocabulary as journeys_kinds
from airflow_provider_interactions.vendors.dynamics_marketing import errors as dynamics_errors
from airflow_provider_interactions.vendors.dynamics_marketing import vocabulary as dynamics_kinds
from airflow_provider_interactions.vendors.luminate_online import errors as luminate_errors
from airflow_provider_interactions.vendors.shared.statuses import STATUSES
from airflow_provider_interactions.vendors.which50 import errors as which50_errors
from airflow_provider_interactions.vendors.which50 import vocabulary as which50_kinds

#: Tables of refusals longer than this are folded.
FOLDED = 10


def describe_connection(vendor: str) -> str:
    """The fields of a vendor's connection, from the form that Airflow shows."""
    form = provider_info.describe_connection(read_about(vendor))
    behaviour = form["ui-field-behaviour"]
    standard = [
        (
            f"`{name}`",
            label,
            f"for example `{behaviour['placeholders'][name]}`" if _has_example(behaviour, name) else "",
        )
        for name, label in behaviour["relabeling"].items()
    ]
    own = {name: field for name, field in form["conn-fields"].items() if name not in provider_info.COMMON}
    return format_table(
        ("field", "in the form", "meaning"),
        [*standard, *_describe_extras(own), *_describe_extras(provider_info.COMMON)],
    )


def _has_example(behaviour: Mapping[str, Any], name: str) -> bool:
    return name in behaviour["placeholders"]


def _describe_extras(fields: Mapping[str, Any]) -> Rows:
    for name, field in fields.items():
        words = [word for word in field["schema"].get("enum", ()) if word is not None]
        choice = f" One of {format_code(words)}." if words else ""
        yield f"extra `{name}`", field["label"], f"{field['description']}{choice}"


def describe_personal() -> str:
    """The fields of each vendor's preset, and the actions that apply by default."""
    rows = [
        (about.title, f"`{name}`", kind, f"`{about.policy[name]}`" if name in about.policy else "")
        for about in list_abouts()
        for name, kind in about.personal.items()
    ]
    none = [(about.title, "", "none is documented", "") for about in list_abouts() if not about.personal]
    return format_table(("vendor", "field", "what it holds", "by default"), [*rows, *none])


def describe_kinds(vendor: str) -> str:
    """What a vendor's types become."""
    return _KINDS[vendor]()


def _describe_dynamics_kinds() -> str:
    return _format_pairs(dynamics_kinds.KINDS, "`InteractionType`")


def _describe_journeys_kinds() -> str:
    default = set(journeys_kinds.DEFAULT_TYPES)
    found = {name: (*pair, "yes" if name in default else "") for name, pair in journeys_kinds.KINDS.items()}
    rows = [
        (format_code(names), f"`{channel}`", f"`{action}`", read)
        for (channel, action, read), names in sorted(_group_by_value(found).items(), key=lambda row: row[0][2] == "")
    ]
    return format_table(("table", "channel", "action", "read by default"), rows)


def _describe_which50_kinds() -> str:
    pairs = {
        name: (channel, "by status" if action == "sent" else action)
        for name, (channel, action) in which50_kinds.KINDS.items()
    }
    return _format_pairs(pairs, "`Interaction`, in any case and spacing")


def _format_pairs(found: Mapping[str, tuple[str, str]], title: str) -> str:
    rows = [(format_code(names), *map(_format_word, pair)) for pair, names in _group_by_value(found).items()]
    return format_table((title, "channel", "action"), [*rows, ("any other", "`other`", "`other`")])


def _format_word(word: str) -> str:
    return word if " " in word else f"`{word}`"


def _describe_capillary_kinds() -> str:
    channels = [
        (
            format_code(names),
            f"`{channel}`",
            format_code([capillary_kinds.ACTIONS[names[0]]]) if _has_fixed_action(names) else "by status",
        )
        for (channel, _), names in _group_by_value(
            {name: (channel, capillary_kinds.ACTIONS.get(name)) for name, channel in capillary_kinds.CHANNELS.items()}
        ).items()
    ]
    rows = [*channels, ("any other", "`other`", "by status")]
    return format_table(("name of the entry", "channel", "action"), rows)


def describe_statuses() -> str:
    """What the last status of a message becomes."""
    rows = [(format_code(names), f"`{action}`") for action, names in _group_by_value(STATUSES).items()]
    return format_table(("status", "action"), [*rows, ("none", "`sent`"), ("any other", "`other`")])


def _has_fixed_action(names: Sequence[str]) -> bool:
    return names[0] in capillary_kinds.ACTIONS


_KINDS: dict[str, Callable[[], str]] = {
    "dynamics_journeys": _describe_journeys_kinds,
    "dynamics_marketing": _describe_dynamics_kinds,
    "which50": _describe_which50_kinds,
    "capillary": _describe_capillary_kinds,
}


def describe_refusals(vendor: str) -> str:
    """What a vendor's codes and statuses mean here; one row for each meaning."""
    found = {answer: verdict for verdicts in _REFUSALS[vendor] for answer, verdict in verdicts.items()}
    rows = [
        (_format_responses(answers), f"`{kind.__name__}`", _describe_outcome(kind), sentence)
        for (kind, sentence), answers in _group_by_value(found).items()
    ]
    found = format_table(("response", "error", "what happens", "message"), rows)
    return found if len(rows) <= FOLDED else fold(f"All {len(rows)}", found)


def _name_statuses(found: Mapping[int, Any]) -> dict[str, Any]:
    return {f"HTTP {status}": verdict for status, verdict in found.items()}


_REFUSALS: dict[str, Sequence[Mapping[str, Any]]] = {
    "dynamics_journeys": ({f"{step}: {seen}": verdict for (step, seen), verdict in journeys_errors.VERDICTS.items()},),
    "dynamics_marketing": (
        {"HTTP 404, “segment”": (errors.ServiceRemoved, dynamics_errors.REMOVED)},
        dynamics_errors.CODES,
    ),
    "which50": (_name_statuses(which50_errors.STATUSES),),
    "luminate_online": (luminate_errors.CODES, _name_statuses(luminate_errors.STATUSES)),
    "capillary": (capillary_errors.CODES, _name_statuses(capillary_errors.STATUSES)),
}


def _format_responses(answers: Sequence[str]) -> str:
    return ", ".join(answer if " " in answer else f"`{answer}`" for answer in answers)


def _describe_outcome(kind: type[errors.VendorError]) -> str:
    if issubclass(kind, errors.ContactError):
        return "this contact is noted, the others go on"
    return "retried" if kind.retry else "the task fails"


def _group_by_value(found: Mapping[str, Any]) -> dict[Any, list[str]]:
    groups: dict[Any, list[str]] = {}
    for name, value in found.items():
        groups.setdefault(value, []).append(name)
    return groups


assert set(NAMES) <= set(_REFUSALS)
