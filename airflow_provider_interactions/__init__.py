"""Copy contact interactions from five vendors into your lake and warehouse, by Airflow's data intervals."""

__version__ = "0.1.0"
