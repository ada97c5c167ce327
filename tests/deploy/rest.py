"""Airflow's REST API, as a person's browser uses it."""

import time

import requests

#: Seconds without an answer after which somebody at the browser gives up.
PATIENCE = 120.0


class Api:
    """The API server of a stack. A call is repeated while the server is away."""

    def __init__(self, stack):
        self.url = f"http://127.0.0.1:{stack.ports['8080']}"
        self.session = requests.Session()
        self.session.trust_env = False
        token = self.session.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def send(self, method, path, **options):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                response = self.session.request(method, f"{self.url}/api/v2/{path}", timeout=30, **options)
            except requests.ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)
            else:
                response.raise_for_status()
                return response.json()
