"""What Airflow passes on when it opens its SQLite database; it imports this by name, so nothing else is here."""

from __future__ import annotations

#: Seconds to wait while another process writes. The default is 5, and a task whose end Airflow cannot write in that
#: time has failed for good, whatever retries it has (`ti_update_state` of the execution API, 3.3.2).
CONNECT_ARGS = {"timeout": 30.0}
