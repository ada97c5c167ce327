"""Reads the tables of bulk vendors: Delta, Parquet and CSV in object storage."""
