"""Import what an extra of this package, or another provider, installs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow_provider_interactions.errors import ConfigError


def name_extra(extra: str) -> str:
    """What pip installs for an extra of this package."""
    return f"'airflow-provider-interactions[{extra}]'"


def import_from(module: str, name: str, requirement: str) -> Any:
    """Import a name from a module. Raises ConfigError that says what to install, if the module does not exist."""
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        msg = f"{missing.name} is not installed, and this target needs it. Install it with: pip install {requirement}."
        raise ConfigError(msg) from missing
