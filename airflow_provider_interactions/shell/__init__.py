"""The console command ``interactions``: the core from a terminal, without Airflow.

``app.py`` declares the commands and their options; each command is a function in a module of its own. ``session.py``
holds what a command shares: where output goes, how it ends, the connections and the lake.
"""
