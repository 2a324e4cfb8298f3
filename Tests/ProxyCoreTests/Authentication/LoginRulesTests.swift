// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing
@testable import ProxyCore

struct LoginRulesTests {
    /// What a certificate's name, or a connection without one, leads to for user `app`.
    @Test(arguments: [
        (ClientSSLMode.disable, false, nil, nil), (.allow, false, nil, nil),
        (.allow, true, nil, nil), (.require, false, nil, "not encrypted"),
        (.require, true, nil, nil), (.verifyCA, false, nil, "not encrypted"),
        (.verifyCA, true, nil, "no client certificate"), (.verifyCA, true, "anybody", nil),
        (.verifyFull, true, nil, "no client certificate"), (.verifyFull, true, "app", nil),
        (.verifyFull, true, "batch", nil),
        (.verifyFull, true, "App", "the certificate is of \"App\", who is not mapped to this user"),
        (.verifyFull, true, "other", "the certificate is of \"other\", who is not mapped to this user"),
    ] as [(ClientSSLMode, Bool, String?, String?)])
    func `a connection must be as sslmode says`(
        mode: ClientSSLMode, isEncrypted: Bool, name: String?, reason: String?
    ) {
        var policy = AuthenticationPolicy()
        policy.encryption.mode = mode
        policy.encryption.userMap = [
            .init(certificate: "batch", user: "app"), .init(certificate: "other", user: "report"),
        ]
        let rules = LoginRules(policy: policy, processKey: [UInt8](repeating: 1, count: 16))
        var encryption = Encryption(version: "TLSv1.3", cipher: "X")
        encryption.certificateName = name
        let refusal = rules.refusal(user: "app", isEncrypted ? encryption : nil)
        #expect(refusal?.logReason == reason)
        if let refusal { #expect(refusal.sqlState == "28000") }
    }

    // MARK: Rules

    private func verdict(
        _ rules: [AuthenticationRule], mode: ClientSSLMode = .allow, certificate: String? = nil,
        peer: String = "10.0.0.1:5", encrypted: Bool = true
    ) -> LoginVerdict {
        var policy = AuthenticationPolicy()
        policy.rules = rules
        policy.encryption.mode = mode
        policy.encryption.userMap = [.init(certificate: "batch", user: "app")]
        var encryption = Encryption(version: "TLSv1.3", cipher: "X")
        encryption.certificateName = certificate
        var attempt = LoginAttempt(user: "app", database: "shop", peer: peer)
        attempt.isEncrypted = encrypted
        return LoginRules(policy: policy, processKey: [UInt8](repeating: 1, count: 16))
            .verdict(on: attempt, encrypted ? encryption : nil)
    }

    private func rule(
        _ method: AuthenticationRule.Method, type: AuthenticationRule.Connection = .host,
        users: [String] = ["all"]
    ) -> AuthenticationRule {
        var rule = AuthenticationRule(method: method)
        rule.type = type
        rule.users = users
        return rule
    }

    @Test func `without rules all are asked for what their secret is for`() {
        #expect(verdict([]) == .ask(.md5))
    }

    @Test func `the first rule that matches decides`() {
        let rules = [rule(.trust, users: ["x"]), rule(.md5, type: .hostnossl), rule(.reject)]
        #expect(verdict(rules, encrypted: false) == .ask(.md5))
        #expect(verdict(rules.reversed()) == verdict([rule(.reject)]))
        #expect(verdict([rule(.trust)] + rules) == .ask(.trust))
        #expect(verdict([rule(.scramSHA256)]) == .ask(.scramSHA256))
    }

    @Test func `who matches no rule, or one that rejects, is told who it is`() {
        for (rules, peer, encrypted, words) in [
            (
                [], "10.0.0.1:5", true,
                "no authentication rule for host \"10.0.0.1\", user \"app\", database \"shop\", "
                    + "SSL encryption"
            ),
            (
                [], "[local]", false,
                "no authentication rule for host \"[local]\", user \"app\", database \"shop\", "
                    + "no encryption"
            ),
            (
                [rule(.reject)], "[::1]:5", false,
                "an authentication rule rejects host \"::1\", user \"app\", database \"shop\", "
                    + "no encryption"
            ),
        ] {
            let never = rule(.trust, users: ["nobody"])
            guard case .refuse(let refusal) = verdict([never] + rules, peer: peer, encrypted: encrypted)
            else {
                Issue.record("not refused")
                continue
            }
            #expect(refusal.message == words)
            #expect(refusal.sqlState == "28000" && refusal.isByRule)
        }
    }

    @Test func `a certificate must be the user's own, or mapped to it`() {
        let rules = [rule(.cert, type: .hostssl)]
        #expect(verdict(rules, certificate: "app") == .ask(.cert))
        #expect(verdict(rules, certificate: "batch") == .ask(.cert))
        #expect(verdict(rules, certificate: nil) == .refuse(.noCertificate))
        #expect(
            verdict(rules, certificate: "boss")
                == .refuse(.wrongCertificate(of: "boss", user: "app")))
        // One that is good for nothing does not lead to the next rule.
        #expect(verdict(rules + [rule(.trust)], certificate: nil) == .refuse(.noCertificate))
    }

    @Test func `what sslmode demands no rule gives up`() {
        #expect(verdict([rule(.trust)], mode: .require, encrypted: false) == .refuse(.notEncrypted))
        #expect(verdict([rule(.trust)], mode: .verifyCA) == .refuse(.noCertificate))
    }
}
