"""The demo: a real Airflow fills a table from the sandbox, and the table is checked row by row.

``python -m airflow_provider_interactions.demo`` starts everything, and stops it at the end. It controls Airflow by
processes and its REST API, and does not import it.
"""
