#!/bin/sh
# The official image's contract: flags or a configuration file mean redis-server, which runs as redis and takes connections from other containers.
set -e

case "$1" in
  -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ]; then
  # Debian's server refuses strangers as long as nobody has set a password; here a network policy or a password decides. What the user writes wins.
  if ! { printf '%s\n' "$@"; [ ! -r "${2:-}" ] || cat "$2"; } | grep -Eq '^[[:space:]]*(--)?protected-mode'; then
    set -- "$@" --protected-mode no
  fi
  if [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis {} +
    exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
  fi
  # Redis' files are its own business.
  umask "${REDIS_UMASK:-0077}"
fi

exec "$@"
