#!/bin/sh
# A file is served as configuration; anything else is a command of the registry program, or a program.
set -e
case "$1" in
  *.yaml | *.yml) set -- registry serve "$@" ;;
  serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
