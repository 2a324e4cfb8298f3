# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the demo and the tests need on a fresh Debian 12 machine, shared by deploy/local/demo and
# Tests/run. Sourced, never run. Everything here is safe to repeat and does nothing when nothing
# is missing.

# Where virtual environments, data and logs live. User postgres must be able to read it, because
# PostgreSQL refuses to run as root; so as root it cannot be below /root.
martlet_home() {
    if [[ -n ${MARTLET_LOCAL_HOME:-} ]]; then
        printf '%s\n' "$MARTLET_LOCAL_HOME"
    elif ((EUID == 0)); then
        printf '/var/lib/martlet-demo\n'
    else
        printf '%s/martlet-demo\n' "${XDG_STATE_HOME:-$HOME/.local/state}"
    fi
}

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

setup_home() {
    local home
    home=$(martlet_home)
    if [[ ! -d $home ]]; then
        mkdir -p "$home" || fail "cannot make $home"
        chmod 755 "$home"
    fi
}

# The packages among "$@" that are not installed, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            printf '%s\n' "$package"
    done
}

# Debian's packages start what they install: a PostgreSQL cluster "main", etcd, Patroni. The demo
# brings its own of each, so for the time of the installation services do not start and no
# cluster is created. What already runs is not touched.
install_packages_quietly() {
    local -a sudo=()
    ((EUID == 0)) || sudo=(sudo)
    local policy=/usr/sbin/policy-rc.d no_cluster=/etc/postgresql-common/createcluster.d/martlet.conf
    local made_policy=false status=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod 755 "$policy"
        made_policy=true
    fi
    "${sudo[@]}" mkdir -p "${no_cluster%/*}"
    printf 'create_main_cluster = false\n' | "${sudo[@]}" tee "$no_cluster" >/dev/null
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >>"$(martlet_home)/setup.log" 2>&1 || status=$?
    "${sudo[@]}" rm -f "$no_cluster"
    if $made_policy; then "${sudo[@]}" rm -f "$policy"; fi
    return "$status"
}

# setup_packages package...: installs what is missing, by apt-get.
setup_packages() {
    local -a missing
    local log
    setup_home
    log=$(martlet_home)/setup.log
    command -v dpkg-query >/dev/null || fail "this needs Debian (dpkg-query is not here)"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        fail "packages are missing; as root: apt-get install ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    if ((EUID == 0)); then apt-get update -q; else sudo apt-get update -q; fi >>"$log" 2>&1 ||
        say "apt-get update failed; trying with the package lists that are here"
    install_packages_quietly "${missing[@]}" || {
        tail -n 20 "$log" >&2
        fail "apt-get could not install ${missing[*]} (all of it: $log)"
    }
}

# What building needs, and what building and running a cluster need. Debian's name for each.
build_packages=(ca-certificates pkg-config libpq-dev libssl-dev libcurl4-openssl-dev)
# shellcheck disable=SC2034  # used by those who source this file
base_packages=("${build_packages[@]}" postgresql-15 etcd-server etcd-client python3-venv)

# setup_python requirements.txt...: a virtual environment that holds what these files name.
# Made with the system's Python: one from root's home cannot be run by user postgres.
setup_python() {
    local home venv stamp wanted file
    home=$(martlet_home)
    venv=$home/venv
    local lock
    exec {lock}>"$home/venv.lock"
    flock "$lock"
    if ! "$venv/bin/python3" -c '' 2>/dev/null; then
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv" || fail "cannot make a virtual environment in $venv"
    fi
    for file in "$@"; do
        stamp=$venv/$(basename "$(dirname "$file")")-$(basename "$file").stamp
        wanted=$(sha256sum <"$file")
        [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && continue
        say "installing Python packages of $(basename "$file")"
        "$venv/bin/pip" install -q --disable-pip-version-check --use-pep517 -r "$file" >&2 ||
            fail "pip could not install what $file names"
        printf '%s\n' "$wanted" >"$stamp"
    done
    # pip keeps root's umask; user postgres must read everything.
    chmod -R go+rX "$venv"
    exec {lock}>&-
}

require_swift() {
    command -v swift >/dev/null ||
        fail "swift is not on the PATH; martlet needs Swift 6.3 (https://www.swift.org/install)"
}

# setup_build repository configuration: builds the executable martlet.
#
# A terminal shows the compiler's own progress; elsewhere a line every half minute says how far it is.
# Always without colours: the compiler's options would differ with and without a terminal, and
# everything would be built anew.
setup_build() {
    local log reporter status=0
    require_swift
    say "building martlet ($2); the first time this takes some minutes"
    if [[ -t 2 ]]; then
        (cd "$1" && swift build --no-color-diagnostics -c "$2" --product martlet >&2) ||
            fail "the build failed"
        return
    fi
    log=$(martlet_home)/build.log
    : >"$log"
    report_progress "$$" "$log" 30 &
    reporter=$!
    (cd "$1" && swift build --no-color-diagnostics -c "$2" --product martlet) >"$log" 2>&1 ||
        status=$?
    kill "$reporter" 2>/dev/null || true
    ((status == 0)) || {
        cat "$log" >&2
        fail "the build failed"
    }
    say "$(tail -n 1 "$log")"
}

# progress log: how far the command that writes this file is, in a few words: how many tests have
# passed, or the last `[3/9]` or `[ 40%]`.
progress() {
    local count last
    count=$(grep -cE '^✔ Test .* passed' "$1" || true)
    last=$(tail -c 20000 "$1" | tr '\r' '\n' | grep -oE '\[ *[0-9]+(/[0-9]+|%)\]' | tail -n 1 || true)
    if ((count)); then
        printf '%d tests passed\n' "$count"
    else
        printf '%s\n' "${last:-at work}"
    fi
}

# report_progress pid log seconds: a line every so often, as long as the process is there.
report_progress() {
    local began=$SECONDS next=$3
    while kill -0 "$1" 2>/dev/null; do
        sleep 1
        ((SECONDS - began >= next)) || continue
        say "after $((SECONDS - began)) s: $(progress "$2")"
        next=$((SECONDS - began + $3))
    done
}

# 64 clients and their servers, of several processes, need more than the usual 1,024 descriptors.
raise_descriptor_limit() {
    local hard
    hard=$(ulimit -Hn)
    [[ $hard == unlimited ]] && hard=65536
    ulimit -Sn "$hard" 2>/dev/null || true
}
