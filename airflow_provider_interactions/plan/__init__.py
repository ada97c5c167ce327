"""Plans: what reading some contacts takes in requests, hours, tasks, memory, files and bytes. No Airflow, no I/O."""
