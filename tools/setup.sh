#!/usr/bin/env bash
# Make a virtual environment at $1 and install the project with its check and test tools into it.
# Uses uv where it is present, else venv and pip. Says in one sentence what to do when something is missing.
set -euo pipefail
venv=${1:?usage: tools/setup.sh DIRECTORY}
cd "$(dirname "$0")/.."

fail() { echo "setup: $*" >&2; exit 1; }

python=
for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed: install it (Debian 12: apt-get install python3) or set PYTHON=/path/to/python3."

[ -w . ] || fail "this folder cannot be written to: clone the repository into a folder of your own."

# uv does not look at what pip is told about a site: its certificates, its index.
install() {
  export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1}
  index=${PIP_INDEX_URL:-$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
  if [ -n "$index" ]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}; fi
  "$1" pip install --quiet --python "$venv/bin/python" --editable . --group check --group test ||
    fail "uv could not install the packages; it says why above. It needs a package index (UV_DEFAULT_INDEX, HTTPS_PROXY) \
and trusts the certificates of the system (SSL_CERT_FILE for others)."
  # Where PYTHONDONTWRITEBYTECODE is set, or nobody may write here later, each command would compile itself: 0.1 s.
  "$venv/bin/python" -m compileall -q src simulators
}

if command -v uv >/dev/null 2>&1; then
  uv venv --quiet --allow-existing --python "$python" "$venv"
  install uv
  exit 0
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv) >/dev/null 2>&1 || true
  fi
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module: install it (Debian: apt-get install python3-venv) or install uv."
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv ||
  fail "packages cannot be installed: pip must reach a package index (set PIP_INDEX_URL or HTTPS_PROXY as your site needs)."
install "$venv/bin/uv"
