# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The peers, for benchmarks/run; sourced, never run. They come from Debian forky, whose versions
# are the newest, in a directory of its own that nothing else of this machine sees. Where that
# cannot be had they come from this Debian, and the report says so.

# shellcheck disable=SC2034  # used by those who source this file
# The libraries are those that martlet is linked with.
peer_packages=(pgbouncer odyssey pgagroal pgpool2 haproxy libcurl4t64 libpq5 libssl3t64)
peers_suite=forky
peers_mirror=http://deb.debian.org/debian

peers_root() { printf '%s/peers/%s\n' "$(martlet_home)" "$peers_suite"; }

# Binds what the peers need of the running system; everything is unbound again by peers_unmount.
peers_mount() {
    local root
    root=$(peers_root)
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    mountpoint -q "$root/dev" || mount --rbind --make-rslave /dev "$root/dev"
    mountpoint -q "$root/tmp" || mount --bind /tmp "$root/tmp"
}

peers_unmount() {
    local root place
    root=$(peers_root)
    for place in tmp dev proc; do
        if mountpoint -q "$root/$place"; then
            umount -R "$root/$place" 2>/dev/null || umount -lR "$root/$place" || true
        fi
    done
}

# in_peers command...: runs it in the directory of the peers.
in_peers() { chroot "$(peers_root)" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

# among_peers PROGRAM FILE: makes FILE, which runs PROGRAM with the C library and the OpenSSL of the
# peers: what is compared are the proxies.
among_peers() {
    local program=$1 file=$2 root swift
    root=$(peers_root)
    swift=$(ldd "$program" | awk '$1 == "libswiftCore.so" { print $3 }')
    printf '#!/usr/bin/env bash\nexec %q --library-path %q %q "$@"\n' \
        "$root/lib64/ld-linux-x86-64.so.2" \
        "$root/usr/lib/$(uname -m)-linux-gnu:${swift%/*}" "$program" >"$file"
    chmod 755 "$file"
    "$file" --version >/dev/null || fail "martlet does not run with the libraries of $root"
}

peers_bootstrap() {
    local root=$1 log=$2
    setup_packages debootstrap
    say "Debian $peers_suite for the peers, in $root"
    rm -rf "$root.new"
    mkdir -p "${root%/*}"
    # The script of sid knows every suite that is newer than this debootstrap.
    debootstrap --variant=minbase "$peers_suite" "$root.new" "$peers_mirror" sid >>"$log" 2>&1 ||
        return 1
    # A mirror may lag behind its own expiry date; the signature is checked all the same.
    rm -f "$root.new/etc/apt/sources.list" "$root.new"/etc/apt/sources.list.d/*
    printf 'deb [check-valid-until=no] %s %s main\n' "$peers_mirror" "$peers_suite" \
        >"$root.new/etc/apt/sources.list"
    # Nothing starts by itself in there.
    printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
    chmod 755 "$root.new/usr/sbin/policy-rc.d"
    mv "$root.new" "$root"
}

peers_install() {
    local root=$1 log=$2
    peers_mount
    mkdir -p "$root/etc/postgresql-common/createcluster.d"
    printf 'create_main_cluster = false\n' >"$root/etc/postgresql-common/createcluster.d/martlet.conf"
    in_peers DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -q && apt-get install -y -q \
        --no-install-recommends "$@"' sh "${peer_packages[@]}" >>"$log" 2>&1
}

# setup_peers: prints "forky" or "host", where the peers' programs are.
setup_peers() {
    local root log package
    local -a missing=()
    root=$(peers_root)
    log=$(martlet_home)/setup.log
    if ((EUID == 0)); then
        [[ -x $root/usr/bin/apt-get ]] || peers_bootstrap "$root" "$log" || true
        if [[ -x $root/usr/bin/apt-get ]]; then
            for package in "${peer_packages[@]}"; do
                compgen -G "$root/var/lib/dpkg/info/$package[.:]*list" >/dev/null ||
                    missing+=("$package")
            done
            if ((${#missing[@]} == 0)) || {
                say "installing ${missing[*]} of Debian $peers_suite"
                peers_install "$root" "$log"
            }; then
                printf 'forky\n'
                return
            fi
        fi
    fi
    say "Debian $peers_suite cannot be had ($log says why); taking the peers of this Debian"
    for package in "${peer_packages[@]}"; do
        # Not every Debian has all of them.
        if apt-cache show "$package" >/dev/null 2>&1; then (setup_packages "$package") || true; fi
    done
    printf 'host\n'
}
