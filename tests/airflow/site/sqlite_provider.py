"""An Airflow provider for SQLite, installed by its metadata beside this file: a real type with a real DB-API hook."""

from __future__ import annotations


def get_provider_info():
    hook = {"connection-type": "sqlite", "hook-class-name": "sqlite_hook.SqliteHook", "hook-name": "SQLite"}
    return {
        "package-name": "sqlite-provider",
        "name": "SQLite",
        "description": "For tests.",
        "connection-types": [hook],
    }
