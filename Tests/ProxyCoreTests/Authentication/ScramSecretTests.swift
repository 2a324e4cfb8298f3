// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

@Suite struct ScramSecretTests {
    // RFC 7677's salt and password; the keys computed by another implementation (hashlib).
    static let pencil =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        + "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    @Test func `a secret built from a password is the one that everybody builds`() throws {
        let secret = try #require(ScramSecret(text: Self.pencil))
        let keys = ScramKeys(
            password: Array("pencil".utf8), salt: secret.salt, iterations: secret.iterations)
        #expect(keys.secret == secret)
        #expect(Digests.sha256(keys.clientKey) == secret.storedKey)
    }

    @Test func `a secret is written as it was read`() throws {
        #expect(try #require(ScramSecret(text: Self.pencil)).text == Self.pencil)
    }

    @Test(arguments: [
        "", "SCRAM-SHA-256", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==",
        "scram" + pencil.dropFirst(5), pencil + "=", pencil + "$", pencil + ":AAAA",
        pencil.replacing("4096", with: "0"), pencil.replacing("4096", with: "-1"),
        pencil.replacing("4096", with: "+4096"), pencil.replacing("4096", with: ""),
        pencil.replacing("4096", with: "2147483648"),
        pencil.replacing("4096", with: "99999999999999999999"),
        pencil.replacing("W22ZaJ0SNY7soEsUEjb6gQ==", with: ""),
        pencil.replacing("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=", with: "AAAA"),
        pencil.replacing("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", with: ""),
        "md5d41d8cd98f00b204e9800998ecf8427e",
    ])
    func `anything else is no secret`(text: String) {
        #expect(ScramSecret(text: text) == nil)
    }

    @Test func `kinds of secrets are told apart`() throws {
        let md5 = "md5d41d8cd98f00b204e9800998ecf8427e"
        let secret = try #require(ScramSecret(text: Self.pencil))
        #expect(StoredSecret(text: Self.pencil) == .scram(secret))
        #expect(StoredSecret(text: md5) == .md5(Array(md5.utf8)))
        for text in ["md5", md5 + "0", "md5" + String(repeating: "g", count: 32), "secret", ""] {
            #expect(StoredSecret(text: text) == .clearText(Array(text.utf8)))
        }
    }

    @Test func `a mock secret stays the same for a user and differs between users and processes`() {
        let key = [UInt8](repeating: 7, count: 32)
        let alice = ScramSecret.mock(user: "alice", processKey: key)
        #expect(alice == ScramSecret.mock(user: "alice", processKey: key))
        #expect(alice.salt != ScramSecret.mock(user: "bob", processKey: key).salt)
        let other = [UInt8](repeating: 8, count: 32)
        #expect(alice.salt != ScramSecret.mock(user: "alice", processKey: other).salt)
        #expect(alice.salt.count == 16 && alice.iterations == 4096)
    }

    @Test func `any text is read without harm`() {
        var random = SeededBytes(seed: 2)
        let bytes = Array(Self.pencil.utf8)
        for _ in 0..<2_000 {
            let text = String(decoding: random.mutation(of: bytes), as: UTF8.self)
            guard let secret = ScramSecret(text: text) else { continue }
            // Leading zeros of the count are the only freedom of the form.
            #expect(ScramSecret(text: secret.text) == secret)
        }
    }
}
