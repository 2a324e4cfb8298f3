// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// The command: arguments to configuration to runtime, and nothing more.
@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "One endpoint in front of a PostgreSQL cluster that Patroni runs.",
        discussion: """
            A connection pooler that understands Patroni. An application connects to martlet as if \
            it were PostgreSQL. Writes go to the current primary, reads are balanced over the \
            replicas, and clients stay connected while the cluster fails over.

            To begin:

              1. martlet setup | psql -h PRIMARY -U postgres
                 makes the role that martlet uses; set its password with \\password martlet.
              2. Write martlet.yaml:
                   patroni: {urls: [http://10.0.0.1:8008]}
                   service: {user: martlet, password_file: /run/secrets/martlet}
                   listen: 0.0.0.0:6432
              3. martlet check --config martlet.yaml
                 checks everything and says how to fix what is wrong.
              4. martlet serve --config martlet.yaml
              5. psql -h localhost -p 6432 -U me mydatabase

            Every setting can also be given by environment, such as MARTLET_PATRONI_URLS; \
            martlet settings lists them all.
            """,
        version: "martlet \(Version.text)",
        subcommands: [Serve.self, Check.self, Explain.self, Setup.self, Settings.self])
}
