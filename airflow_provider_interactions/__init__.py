"""Copy contact interactions from four vendors into your lake and warehouse, by Airflow's data intervals."""

__version__ = "0.1.0"
