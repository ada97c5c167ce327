"""Make the secrets of docker-compose.yaml once, into a folder that its containers share. Later calls change nothing.

Each server gets its own file, in the form that it reads. A file appears whole or not at all, so a call that was stopped
is repeated without harm. Containers run as different users of the group 0, which may read the files.
"""

import base64
import json
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

MODE = 0o440


def make_secrets(folder: Path) -> list[str]:
    """Write the files that are missing; their names."""
    made = [name for name, make in FILES.items() if _write_once(folder / name, make)]
    # Built from the others, so a folder that lost one of these gets it back with the same content.
    made += [name for name, build in BUILT.items() if _write_once(folder / name, lambda build=build: build(folder))]
    return made


def _write_once(path: Path, make: Callable[[], str]) -> bool:
    if path.exists():
        return False
    temporary = path.with_name(f".{path.name}")
    temporary.unlink(missing_ok=True)
    # No newline at the end: Airflow takes the output of a `_CMD` setting as it is.
    temporary.write_text(make(), encoding="ascii")
    temporary.chmod(MODE)
    temporary.replace(path)
    return True


def _make_key() -> str:
    return secrets.token_urlsafe(32)


def _make_fernet_key() -> str:
    """What cryptography's Fernet.generate_key returns: 32 bytes in URL-safe base64, with padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _build_redis_config(folder: Path) -> str:
    return f"requirepass {(folder / 'redis_password').read_text()}"


def _build_s3_config(folder: Path) -> str:
    key = {"accessKey": "airflow", "secretKey": (folder / "s3_secret").read_text()}
    return json.dumps({"identities": [{"name": "airflow", "credentials": [key], "actions": ["Admin"]}]})


FILES: Mapping[str, Callable[[], str]] = {
    "fernet_key": _make_fernet_key,
    "secret_key": _make_key,
    "jwt_secret": lambda: secrets.token_urlsafe(64),  # HS512 wants 64 bytes
    "postgres_password": _make_key,
    "redis_password": _make_key,
    "s3_secret": _make_key,
}

BUILT: Mapping[str, Callable[[Path], str]] = {"redis.conf": _build_redis_config, "s3.json": _build_s3_config}

if __name__ == "__main__":
    print("made:", ", ".join(make_secrets(Path(sys.argv[1]))) or "nothing, all secrets were there")
