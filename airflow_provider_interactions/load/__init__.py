"""Canonical Parquet to a database: merged by key, newest wins, in one transaction. One module per target."""
