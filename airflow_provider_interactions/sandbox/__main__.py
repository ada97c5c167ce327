"""``python -m airflow_provider_interactions.sandbox``."""

import sys

from .cli import main

sys.exit(main())
