"""Airflow's UI: the coverage page."""
