"""``python -m airflow_provider_interactions.shell``."""

from airflow_provider_interactions.shell.app import main

if __name__ == "__main__":
    main()
