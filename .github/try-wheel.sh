#!/usr/bin/env bash
# Builds the wheel, compares its contents with git, installs it into an empty virtual environment
# with the locked dependencies, starts the service from there, opens a page and stops it again.
#
#     .github/try-wheel.sh [FOLDER]     FOLDER: where to put the wheel if it works
#
# PYTHON=... names the Python; it needs 3.11 or newer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONPATH "${!ADMITONE_@}"

work=$(mktemp -d)
service=
end() {
    if [[ -n $service ]]; then
        kill -TERM "$service" 2>/dev/null || true
        wait "$service" || true
    fi
    rm -rf "$work"
}
trap end EXIT

echo "Building the wheel ..."
"${PYTHON:-python3}" -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" wheel --no-deps --wheel-dir "$work/dist" .
wheels=("$work"/dist/admitone-*.whl)

# Everything that git has of the four packages, data files included, and nothing else: no tests.
git ls-files domain application projections interface | LC_ALL=C sort >"$work/expected"
"$work/venv/bin/python" - "${wheels[0]}" >"$work/built" <<'PYTHON'
import sys
import zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
print(*sorted(name for name in names if ".dist-info/" not in name), sep="\n")
PYTHON
diff "$work/expected" "$work/built"

echo "Installing it ..."
"${pip[@]}" install --only-binary :all: --require-hashes --requirement requirements.lock
"${pip[@]}" install --no-deps "${wheels[0]}"
"${pip[@]}" check

echo "Starting the service ..."
cd "$work"
free_port='import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
port=$(venv/bin/python -c "$free_port")
url=http://127.0.0.1:$port
version=$(venv/bin/python -c 'from interface.version import version; print(version())')
[[ ${wheels[0]} == */admitone-"$version"-py3-none-any.whl ]]
venv/bin/admitone --help >/dev/null
ADMITONE_DATA=$work/data ADMITONE_PORT=$port venv/bin/admitone serve >log 2>&1 &
service=$!
get() {
    curl --silent --show-error --fail --max-time 10 "$@"
}
patiently=(--retry 60 --retry-delay 1 --retry-all-errors)
if ! get "${patiently[@]}" --output /dev/null "$url/readyz" 2>errors; then
    tail -n 1 errors log >&2
    exit 1
fi
get "$url/" >page
get "$url/api/openapi.json" >/dev/null
files=$(grep -oE '(href|src)="/[^"]+\.(css|js|svg)[^"]*"' page | cut -d '"' -f 2)
for file in $files; do
    get --output /dev/null "$url$file"
done

kill -INT "$service"
wait "$service"
service=
if (($#)); then
    cd "$OLDPWD"
    mkdir -p "$1"
    cp "${wheels[0]}" "$1"
fi
echo "$(basename "${wheels[0]}") runs."
