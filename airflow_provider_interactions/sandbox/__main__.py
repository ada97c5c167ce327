"""``python -m airflow_provider_interactions.sandbox``."""

import sys

from airflow_provider_interactions.sandbox.cli import main

sys.exit(main())
