// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration
internal import ProxyCore
internal import ProxyRuntime
internal import StatementClassifier

/// Reads one database's catalogue from the cluster, as a running martlet does.
struct CatalogueProbe: Sendable {
    let configuration: Configuration
    let database: String

    private static let timeout = Instant.Span.seconds(20)

    /// Why there is no catalogue.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads the catalogue from the primary, or from a replica while there is no primary.
    func catalogue() async throws(Failure) -> Catalogue {
        let members = await ClusterProbe(configuration).facts().members
        let primary = members.first { $0.patroni.value?.isPrimary ?? false }
        guard let member = primary ?? members.first(where: { $0.server.value != nil }) else {
            throw Failure(description: "no member can be asked; see `martlet check`")
        }
        let account = ControlAccount(configuration).with(database: database)
        let answer = await SingleQuestions().ask(
            host: member.address.host, port: member.address.port, account: account,
            CatalogueQueries.snapshot, timeout: Self.timeout)
        switch answer {
        case .success(let answer): return Catalogue(answer: answer.rows)
        case .failure(let fault):
            throw Failure(description: "\(member.name): \(fault.words)")
        }
    }
}
