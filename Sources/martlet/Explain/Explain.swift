// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import ProxyConfiguration
internal import ProxyCore
internal import StatementClassifier

/// `martlet explain`: where a statement would run, and why.
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say where a statement would run, why, and what it would pin.",
        discussion: """
            Nothing is executed. Without a configuration only PostgreSQL's own functions are known, \
            and every other function counts as a write:

              martlet explain "SELECT * FROM orders WHERE id = 7"
              martlet explain "SELECT my_function(1)" --config martlet.yaml \
            --database shop

            A text of several statements runs on one server, so one write sends all of it to the \
            primary. An application can ask for a server itself, with a leading comment \
            /* martlet: primary */ or /* martlet: replica */, or with SET martlet.route.
            """)

    @Argument(help: "The text as a client would send it; - reads it from standard input.")
    var sql: String

    @Option(
        name: [.short, .long], help: "Take routing.read_functions and the like from this file.")
    var config: String?

    @Option(
        name: [.short, .long],
        help: "Read functions, views and relations of this database from the cluster.")
    var database: String?

    @Flag(help: "As one JSON object.")
    var json = false

    func run() async throws {
        let text = sql == "-" ? try Self.standardInput() : sql
        let report = try await report(text)
        guard json else {
            print(report.text)
            return
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(report.fields), as: UTF8.self))
    }

    /// Classifies the text by the configuration's overrides and by the cluster's catalogue.
    private func report(_ text: String) async throws -> ExplainReport {
        guard config != nil || database != nil else { return ExplainReport(text, catalogue: nil) }
        let loaded = try Configuration.Loaded.orExit(file: config, flags: [])
        let overrides = RoutingOverrides(loaded.configuration.policy.routing)
        guard let database else {
            return ExplainReport(text, catalogue: nil, overrides: overrides)
        }
        let probe = CatalogueProbe(configuration: loaded.configuration, database: database)
        do {
            let catalogue = try await probe.catalogue()
            return ExplainReport(text, catalogue: catalogue, overrides: overrides)
        } catch {
            Terminal.warn("martlet: the catalogue cannot be read: \(error)")
            throw ExitCode.failure
        }
    }

    private static func standardInput() throws -> String {
        let data = try FileHandle.standardInput.readToEnd() ?? Data()
        guard let text = String(data: data, encoding: .utf8) else {
            throw ValidationError("standard input is not UTF-8")
        }
        return text
    }
}
