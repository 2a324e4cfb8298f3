# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What Tests/Conformance needs beside what the other tests do: the drivers, PostgreSQL's own
# libpq_pipeline, and the programs in compiled languages. Sourced after deploy/local/setup.sh;
# safe to repeat.

conformance_packages=(
    build-essential libpq-dev libpqxx-dev libpostgresql-jdbc-java ruby ruby-pg php-cli php-pgsql
    libdbd-pg-perl odbc-postgresql libodbc2 golang-go
)

# Sources and scripts that are only read. Unpacked and not installed: what they depend on beside
# each other (another node.js, half of Go's packages) is not needed.
conformance_unpacked=(
    node-pg node-split2 node-readable-stream node-inherits node-util-deprecate node-string-decoder
    node-safe-buffer node-xtend
    golang-github-jackc-pgx-v4-dev golang-github-jackc-pgconn-dev golang-github-jackc-pgtype-dev
    golang-github-jackc-pgproto3-v2-dev golang-github-jackc-pgio-dev
    golang-github-jackc-pgpassfile-dev golang-github-jackc-pgservicefile-dev
    golang-github-jackc-chunkreader-v2-dev golang-github-lib-pq-dev
    golang-golang-x-crypto-dev golang-golang-x-text-dev
    postgresql-server-dev-15
)

setup_conformance() {
    local home
    home=$(martlet_home)/conformance-programs
    setup_packages "${conformance_packages[@]}"
    # Whatever node.js and Java are here will do.
    command -v node >/dev/null || setup_packages nodejs
    command -v javac >/dev/null || setup_packages default-jdk-headless
    setup_python "$1/Tests/Conformance/requirements.txt"
    mkdir -p "$home"
    [[ -d $home/unpacked ]] || setup_unpacked "$home/unpacked" "${conformance_unpacked[@]}"
    [[ -d $home/postgresql ]] || setup_postgresql_source "$home/postgresql"
    build_conformance "$1/Tests/Conformance" "$home"
}

# setup_unpacked directory package...: the files of these packages below a directory.
setup_unpacked() {
    local target=$1 work archive
    shift
    say "unpacking $*"
    work=$(mktemp -d)
    (cd "$work" && apt-get download -q "$@") >>"$(martlet_home)/setup.log" 2>&1 ||
        fail "apt-get could not download $*"
    mkdir "$work/files"
    for archive in "$work"/*.deb; do dpkg -x "$archive" "$work/files"; done
    chmod -R go+rX "$work/files"
    mv "$work/files" "$target"
    rm -r "$work"
}

# setup_postgresql_source directory: src/test/modules/libpq_pipeline of PostgreSQL 15's source, of
# the newest version that can be had.
setup_postgresql_source() {
    local target=$1 work version archive
    say "fetching the source of PostgreSQL 15"
    work=$(mktemp -d)
    mkdir -p "$work/parts" "$work/lists/partial"
    # The package lists' own origins, with sources; a setting of this call, not of the machine.
    apt-get indextargets \
        --format 'deb-src [signed-by=$(SIGNED_BY)] $(REPO_URI) $(CODENAME) $(COMPONENT)' \
        'Created-By: Packages' | sed 's/ \[signed-by=[^/][^]]*\]//' | sort -u >"$work/parts/sources.list"
    local -a options=(
        -o "Dir::Etc::sourceparts=$work/parts" -o Dir::Etc::sourcelist=/dev/null
        -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root
    )
    (
        cd "$work"
        apt-get "${options[@]}" update
        for version in $(apt-cache "${options[@]}" showsrc postgresql-15 |
            sed -n 's/^Version: //p' | sort -rV); do
            apt-get "${options[@]}" source --download-only "postgresql-15=$version" && break
        done
    ) >>"$(martlet_home)/setup.log" 2>&1 || true
    archive=$(find "$work" -name 'postgresql-15_*.orig.tar.*' ! -name '*.asc' | head -n 1)
    [[ -n $archive ]] || fail "PostgreSQL 15's source could not be had"
    mkdir "$work/files"
    tar -xf "$archive" -C "$work/files" --strip-components=5 --wildcards \
        '*/src/test/modules/libpq_pipeline'
    mv "$work/files" "$target"
    rm -r "$work"
}

# build_conformance sources home: the programs in C, C++, Go and Java.
build_conformance() {
    local sources=$1 home=$2 unpacked=$2/unpacked one
    local library=$unpacked/usr/lib/postgresql/15/lib
    cc -O1 -o "$home/libpq_pipeline" "$home/postgresql/libpq_pipeline.c" \
        -I/usr/include/postgresql -I"$unpacked/usr/include/postgresql/15/server" \
        -lpq "$library/libpgcommon.a" "$library/libpgport.a" -lpthread
    cc -std=gnu11 -O1 -o "$home/libpq" "$sources/libpq/transcript.c" -I/usr/include/postgresql -lpq
    c++ -std=c++17 -o "$home/libpqxx" "$sources/libpqxx/transcript.cpp" -lpqxx -lpq
    for one in pgx lib-pq; do
        (
            cd "$sources/$one"
            GOPATH=$unpacked/usr/share/gocode GO111MODULE=off GOFLAGS='' \
                GOCACHE=$home/go-cache go build -o "$home/$one" .
        )
    done
    javac -nowarn -d "$home" -cp /usr/share/java/postgresql.jar "$sources/jdbc/Transcript.java"
}
