// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import ProxyConfiguration
internal import ProxyCore
internal import ProxyRuntime

/// Asks a cluster everything that `martlet check` wants to know, all members at the same time.
struct ClusterProbe: Sendable {
    let configuration: Configuration
    private let questions: SingleQuestions

    init(_ configuration: Configuration) {
        self.configuration = configuration
        questions = SingleQuestions(files: configuration.patroniTLS)
    }

    /// Longer than when running: a slow answer is found out here, not guessed.
    private var restTimeout: Instant.Span {
        max(configuration.policy.topology.probeTimeout, .seconds(3))
    }

    private var account: ControlAccount { ControlAccount(configuration) }

    /// Never fails: what could not be found out is part of the facts.
    func facts() async -> ClusterFacts {
        var facts = ClusterFacts()
        let reports = await inOrder(configuration.seeds) { ($0, await cluster($0)) }
        var members: [ClusterReport.Member] = []
        for (address, report) in reports {
            switch report {
            case .failed(let reason):
                facts.seeds.append(.init(address: address, answer: .failed(reason)))
            case .answer(let report):
                let names = report.members.map(\.name)
                facts.seeds.append(.init(address: address, answer: .answer(names)))
                for member in report.members
                where !members.contains(where: { $0.name == member.name }) {
                    members.append(member)
                }
            }
        }
        facts.members = await inOrder(members, self.member)
        return facts
    }

    /// Asks about all at once; answers come in the order of the questions.
    private func inOrder<Question: Sendable, Answer: Sendable>(
        _ questions: [Question], _ ask: @escaping @Sendable (Question) async -> Answer
    ) async -> [Answer] {
        await withTaskGroup(of: (Int, Answer).self) { group in
            for (index, question) in questions.enumerated() {
                group.addTask { (index, await ask(question)) }
            }
            var answers: [(Int, Answer)] = []
            for await answer in group { answers.append(answer) }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    // MARK: Patroni

    private func cluster(_ seed: String) async -> ClusterFacts.Outcome<ClusterReport> {
        switch await questions.get("\(seed)/cluster", timeout: restTimeout) {
        case .failed(let reason): return .failed(reason)
        case .answered(let status, let body):
            guard status == 200 else { return .failed("answers with status \(status)") }
            guard let report = PatroniAnswer.cluster(body: body) else {
                return .failed("answers, but not as Patroni does")
            }
            return .answer(report)
        }
    }

    private func patroni(_ url: String) async -> ClusterFacts.Outcome<ClusterFacts.PatroniFacts> {
        switch await questions.get("\(url)/primary", timeout: restTimeout) {
        case .failed(let reason): return .failed(reason)
        case .answered(let status, let body):
            guard let report = PatroniAnswer.member(status: status, body: body) else {
                return .failed("answers with status \(status), but not as Patroni does")
            }
            var facts = ClusterFacts.PatroniFacts()
            facts.isPrimary = report.describesWritablePrimary
            facts.isReplica = report.role == .replica
            facts.isStandbyLeader = report.role == .standbyLeader
            facts.state = report.replicationState ?? report.state
            facts.systemIdentifier = report.systemIdentifier
            facts.version = report.patroniVersion
            return .answer(facts)
        }
    }

    // MARK: Servers

    private func member(_ member: ClusterReport.Member) async -> ClusterFacts.Member {
        async let patroni = patroni(member.restURL)
        async let server = server(member.host, member.port)
        return ClusterFacts.Member(
            name: member.name, address: HostAndPort(host: member.host, port: member.port),
            restURL: member.restURL, patroni: await patroni, server: await server)
    }

    private func server(
        _ host: String, _ port: UInt16
    ) async -> ClusterFacts.Outcome<ClusterFacts.ServerFacts> {
        let function = configuration.lookupFunction
        let answer = await ask(host, port, CheckQuery.text, CheckQuery.parameters(function))
        switch answer {
        case .failure(let fault): return .failed(fault.words)
        case .success(let answer):
            let times = Self.wallClock(of: answer)
            guard let row = answer.rows.first,
                var facts = CheckQuery.facts(row, askedAt: times.asked, answeredAt: times.arrived)
            else { return .failed("answers, but not as PostgreSQL does") }
            if case .callable = facts.lookup, !facts.mayReadSecrets,
                case .failure(let fault) = await ask(host, port, CheckQuery.call(function), [])
            {
                facts.lookup = .broken(fault.words)
            }
            return .answer(facts)
        }
    }

    private func ask(
        _ host: String, _ port: UInt16, _ text: String, _ parameters: [String]
    ) async -> Result<ControlAnswer, ControlFault> {
        await questions.ask(
            host: host, port: port, account: account, text, parameters,
            timeout: configuration.policy.pools.connectTimeout)
    }

    /// When the question was sent and the answer here, in seconds since 1970.
    private static func wallClock(
        of answer: ControlAnswer
    ) -> (asked: Double, arrived: Double) {
        let now = Date().timeIntervalSince1970
        let monotonic = MonotonicClock.now
        return (
            now - (monotonic - answer.sentAt).seconds, now - (monotonic - answer.arrivedAt).seconds
        )
    }
}
