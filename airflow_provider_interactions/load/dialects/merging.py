"""The two ways to merge staged rows into a table: by MERGE, or by DELETE and INSERT in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.load.dialects import Dialect
from airflow_provider_interactions.load.dialects.session import Result
from airflow_provider_interactions.load.ledger import KEY as STEP_KEY
from airflow_provider_interactions.load.ledger import build_insert
from airflow_provider_interactions.schema import KEY, STEPS


class MergingDialect(Dialect):
    """A warehouse whose MERGE is one atomic statement that counts what it did."""

    quotes = "`"
    escaped_quote = "\\'"

    def merge(self, table: str, source: str, columns: pa.Schema, manifest: Manifest) -> list[str]:
        """One MERGE."""
        changed = [name for name in columns.names if name not in KEY]
        sets = ", ".join(f"{self.quote(name)} = new.{self.quote(name)}" for name in changed)
        merge = (
            f"MERGE INTO {self.quote(table)} AS old\n"
            f"USING {source} AS new\n"
            f"ON {self.match_keys(manifest)}\n"
            f"WHEN MATCHED AND {self.match_newer(columns)}\n"
            f"THEN UPDATE SET {sets}\n"
            f"WHEN NOT MATCHED THEN INSERT ({self.list_names(columns)})\n"
            f"VALUES ({self.list_names(columns, 'new.')})"
        )
        return [merge]

    def add_steps(self, table: str, source: str) -> str:
        """One statement, too, because a merge that meets another one is refused."""
        key = self.quote(STEP_KEY)
        return (
            f"MERGE INTO {self.quote(table)} AS old\n"
            f"USING {source} AS new\n"
            f"ON old.{key} = new.{key}\n"
            f"WHEN NOT MATCHED THEN INSERT ({self.list_names(STEPS)})\n"
            f"VALUES ({self.list_names(STEPS, 'new.')})"
        )

    def count_added(self, result: Result) -> int:
        """As for a window."""
        return self.count_merged([result])[0]


class ReplacingDialect(Dialect):
    """A warehouse with transactions: delete the rows that are replaced, then insert all that are absent."""

    begin = ("BEGIN",)
    commit = ("COMMIT",)
    rollback = ("ROLLBACK",)

    def merge(self, table: str, source: str, columns: pa.Schema, manifest: Manifest) -> list[str]:
        """The statement that deletes replaced rows, and the one that inserts."""
        name, key = self.quote(table), self.quote("interaction_id")
        same = self.match_keys(manifest)
        replaced = f"SELECT new.{key} FROM {source} new JOIN {name} old\nON {same}\nWHERE {self.match_newer(columns)}"  # noqa: S608 - quoted
        there = f"SELECT 1 FROM {name} old WHERE {same}"  # noqa: S608 - quoted
        delete = f"DELETE FROM {name}\nWHERE {self.match_account(manifest, '')} AND {key} IN (\n{replaced})"  # noqa: S608 - quoted
        insert = f"INSERT INTO {name} ({self.list_names(columns)})\nSELECT {self.list_names(columns, 'new.')}"
        return [delete, f"{insert}\nFROM {source} new\nWHERE NOT EXISTS ({there})"]

    def count_merged(self, results: Sequence[Result]) -> tuple[int, int]:
        """Each deleted row is inserted again in its new version."""
        deleted, inserted = (self.count_deleted(result) for result in results)
        return inserted - deleted, deleted

    def add_steps(self, table: str, source: str) -> str:
        """An insertion, while the transaction has its lock."""
        return build_insert(table, source, self.quote)

    def count_added(self, result: Result) -> int:
        """The rows of the insertion."""
        return self.count_deleted(result)
