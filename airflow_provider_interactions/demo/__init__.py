"""The main job: a real Airflow fills a table from the sandbox, and the table is checked row by row.

``python -m airflow_provider_interactions.demo`` does all of it and ends by itself. It drives Airflow from outside, by
processes and its REST API, and imports nothing of it.
"""
