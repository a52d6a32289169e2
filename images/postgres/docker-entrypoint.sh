#!/bin/bash
# Initialises PGDATA when it is empty, then becomes the server. Environment, defaults and order are the official image's:
#   POSTGRES_PASSWORD, POSTGRES_USER (postgres), POSTGRES_DB (POSTGRES_USER), POSTGRES_INITDB_ARGS, POSTGRES_INITDB_WALDIR,
#   POSTGRES_HOST_AUTH_METHOD; of each but the last, NAME_FILE may name a file with the value. Files in /docker-entrypoint-initdb.d run once.
# Writes only to PGDATA, the socket's folder and /tmp, so that the root file system can be read only.
set -euo pipefail
shopt -s nullglob

say() { echo "entrypoint: $1"; }
fail() { echo "entrypoint: $1" >&2; exit 1; }

# Sets NAME from NAME or the file that NAME_FILE names, else to the default.
setting() {
  local name=$1 default=${2:-} file_name="$1_FILE"
  if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then fail "both $name and $file_name are set; set one"; fi
  if [[ -n ${!file_name:-} ]]; then
    printf -v "$name" %s "$(<"${!file_name}")"
  elif [[ -z ${!name:-} ]]; then
    printf -v "$name" %s "$default"
  fi
  unset "$file_name"
}

read_settings() {
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

require_password() {
  if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
    fail "the database is not initialised and no superuser password is given. Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to one that is not" \
      "empty, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in"
  fi
  if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then say "POSTGRES_HOST_AUTH_METHOD=trust: anyone who can connect is anyone they say"; fi
}

make_folders() {
  mkdir -p "$PGDATA" /var/run/postgresql 2>/dev/null || true
  # Fails where the volume's owner is another: the server then says whether it minds.
  chmod 0700 "$PGDATA" 2>/dev/null || true
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then mkdir -p "$POSTGRES_INITDB_WALDIR" && chmod 0700 "$POSTGRES_INITDB_WALDIR"; fi
  if (($(id -u) == 0)); then
    find "$PGDATA" ! -user postgres -exec chown postgres {} +
    find /var/run/postgresql ! -user postgres -exec chown postgres {} + 2>/dev/null || true
    if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then find "$POSTGRES_INITDB_WALDIR" ! -user postgres -exec chown postgres {} +; fi
  fi
}

initialise() {
  local arguments=()
  # POSTGRES_INITDB_ARGS is a command line fragment, quotes and all, as in the official image.
  if [[ -n $POSTGRES_INITDB_ARGS ]]; then eval "arguments=($POSTGRES_INITDB_ARGS)"; fi
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then arguments+=(--waldir "$POSTGRES_INITDB_WALDIR"); fi
  # initdb takes an empty file not for "no password" but for a mistake. The substitution lives as long as its own command, so it stands in that command.
  if [[ -n $POSTGRES_PASSWORD ]]; then
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
  else
    initdb --username="$POSTGRES_USER" "${arguments[@]}"
  fi
  local method=$POSTGRES_HOST_AUTH_METHOD
  if [[ -z $method ]]; then method=$(postgres -C password_encryption -D "$PGDATA"); fi
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_sql() {
  local query=(psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER")
  if [[ -n ${POSTGRES_DB:-} ]]; then query+=(--dbname "$POSTGRES_DB"); fi
  PGHOST= PGHOSTADDR= "${query[@]}" "$@"
}

create_database() {
  local known
  known=$(POSTGRES_DB=postgres run_sql --tuples-only --no-align --set db="$POSTGRES_DB" <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
  if [[ -z $known ]]; then POSTGRES_DB=postgres run_sql --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'; fi
}

# Scripts, SQL and compressed SQL, in order of name. A script without the executable bit is sourced, and may use run_sql.
run_files() {
  local file
  for file in "$@"; do
    case $file in
      *.sh)
        if [[ -x $file ]]; then say "running $file"; "$file"; else say "sourcing $file"; . "$file"; fi
        ;;
      *.sql) say "running $file"; run_sql --file "$file" ;;
      *.sql.gz) say "running $file"; gunzip --stdout "$file" | run_sql ;;
      *.sql.xz) say "running $file"; xzcat "$file" | run_sql ;;
      *.sql.zst) say "running $file"; zstd --decompress --stdout "$file" | run_sql ;;
      *) say "ignoring $file" ;;
    esac
  done
}

# True when the arguments only ask for something and start no server.
asks_only() {
  local argument
  for argument in "$@"; do
    case $argument in
      -\? | --help | --describe-config | -V | --version) return 0 ;;
    esac
  done
  return 1
}

if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi

if [[ ${1:-} == postgres ]] && ! asks_only "$@"; then
  make_folders
  if (($(id -u) == 0)); then exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"; fi
  read_settings
  if [[ -s $PGDATA/PG_VERSION ]]; then
    say "the database in $PGDATA is initialised already"
  else
    require_password
    # Seen before anything is written: an unreadable file must not leave half a database.
    ls /docker-entrypoint-initdb.d/ >/dev/null
    initialise
    export PGPASSWORD=$POSTGRES_PASSWORD
    # Only the socket: nobody may take this first server for the real one.
    pg_ctl --pgdata "$PGDATA" --options "-c listen_addresses='' -p 5432" --wait start
    create_database
    run_files /docker-entrypoint-initdb.d/*
    pg_ctl --pgdata "$PGDATA" --mode fast --wait stop
    unset PGPASSWORD
    say "initialised; ready to start"
  fi
fi

exec "$@"
