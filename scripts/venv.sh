# Sourced: Python environments with pip, also where Python came without the means to make one (Debian without python3-venv).
# shellcheck shell=bash

# make_venv FOLDER: a fresh environment of $PYTHON with pip in it.
make_venv() {
    local folder=$1 wheel
    rm -rf "$folder"
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        "$PYTHON" -m venv "$folder" && return
        rm -rf "$folder"
    fi
    "$PYTHON" -c 'import venv' 2>/dev/null || die "$PYTHON has no module venv: on Debian 'sudo apt-get install python3-venv'"
    wheel=$(pip_wheel)
    [ -n "$wheel" ] || die "$PYTHON can make no environment with pip, and no pip was found: on Debian 'sudo apt-get install python3-venv'"
    "$PYTHON" -m venv --without-pip "$folder"
    # A wheel of pip runs as it lies there, and installs itself first.
    "$folder/bin/python" "$wheel/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
}

# pip_wheel: the path of a wheel of pip, from whatever has one; nothing when nothing has.
pip_wheel() {
    local folder=$CACHE/pip-wheel
    rm -rf "$folder" && mkdir -p "$folder"
    newest_wheel /usr/share/python-wheels && return
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" pip >&2 && newest_wheel "$folder" && return
    # Debian's own package of the wheel; fetching and unpacking it needs no root.
    (cd "$folder" && apt-get download -qq python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .) >&2 &&
        newest_wheel "$folder/usr/share/python-wheels" && return
    if [ "$(id -u)" = 0 ]; then
        apt-get install -y -qq python3-pip-whl >&2
    elif sudo -n true 2>/dev/null; then
        sudo apt-get install -y -qq python3-pip-whl >&2
    fi
    newest_wheel /usr/share/python-wheels || true
}

newest_wheel() { find "$1" -name 'pip-*.whl' 2>/dev/null | sort -V | tail -n 1 | grep .; }

# make_venv_that_sees_packages FOLDER: an environment of $PYTHON, nothing installed, that sees all that $PYTHON sees.
# Unlike --system-site-packages this also holds when $PYTHON is itself one of an environment (venv, conda).
make_venv_that_sees_packages() {
    local folder=$1
    rm -rf "$folder"
    "$PYTHON" -m venv --without-pip "$folder" || die "$PYTHON can make no environment: on Debian 'sudo apt-get install python3-venv'"
    "$PYTHON" - "$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" <<'PYTHON_END'
import os, sys
seen = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
with open(os.path.join(sys.argv[1], "seen.pth"), "w") as file:
    file.writelines(f"import site; site.addsitedir({path!r})\n" for path in seen)
PYTHON_END
}
