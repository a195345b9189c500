#!/bin/sh
# Is there a Python that can run the other scripts? An old one could not even parse the question, so a shell asks it.
python=$1

fail() {
    echo "$1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "Recado needs Python 3.11 or newer, and there is no '$python' here. Install it, or name one: make run PYTHON=/path/to/python"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Recado needs Python 3.11 or newer; '$python' says $("$python" -V 2>&1 | head -n 1). Name a newer one: make run PYTHON=python3.12"

# Debian and Ubuntu split the part of Python that fills a new environment into a package of its own.
[ -x .venv/bin/pip ] || "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "'$python' cannot make a virtual environment. On Debian or Ubuntu: apt-get install $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
