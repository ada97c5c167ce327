"""The table of settings in the page about deployments."""

from __future__ import annotations

from celery_settings import ARGUMENTS, DEFAULTS, OTHERS, PACKAGES, SECRETS, SET
from markup import format_table


def describe_settings() -> str:
    """The table of docs/deploy.md."""
    packages = ((f"package `{one}`", "install", reason) for one, reason in PACKAGES.items())
    secrets = ((one.title, one.value, one.reason) for one in SECRETS)
    chosen = ((one.title, f"`{one.value}`", one.reason) for one in SET)
    defaults = ((one.title, f"leave it at `{one.value}`", one.reason) for one in DEFAULTS)
    arguments = ((f"argument `{name}` of tasks", f"`{value}`", why) for name, (value, why) in ARGUMENTS.items())
    others = ((name, value, why) for name, (value, why) in OTHERS.items())
    rows = [*packages, *secrets, *chosen, *defaults, *arguments, *others]
    return format_table(("what", "value", "why"), rows)
