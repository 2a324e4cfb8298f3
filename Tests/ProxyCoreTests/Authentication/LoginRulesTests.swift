// SPDX-License-Identifier: Apache-2.0

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
}
