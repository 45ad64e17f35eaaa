#!/bin/sh
# Make .venv with the locked versions and the package itself in it; nothing is installed outside the folder.
set -eu
python="${1:-python3}"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Tidemill needs Python 3.11 or newer as $python (or: make PYTHON=/path/to/python3.11 ...)" >&2
  exit 1
fi
# Debian keeps venv's parts in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing python3-venv, which Debian's Python lacks"
    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  else
    echo "This Python cannot make virtual environments; on Debian: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi
echo "setting up .venv (once; about a minute)"
"$python" -m venv .venv
.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/ready
