// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ProxyCore

@Suite struct DigestsTests {
    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func `SHA-256 of the empty string and of abc are those of FIPS 180`() {
        #expect(
            hexadecimal(Digests.sha256([]))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hexadecimal(Digests.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `HMAC is that of RFC 4231, case 2`() {
        let mac = Digests.hmacSHA256(
            key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(
            hexadecimal(mac) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test func `HMAC accepts an empty key and an empty message`() {
        #expect(
            hexadecimal(Digests.hmacSHA256(key: [], []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func `PBKDF2 is that of RFC 7914, first block`() {
        let derived = Digests.pbkdf2SHA256(
            password: Array("passwd".utf8), salt: Array("salt".utf8), iterations: 1)
        #expect(
            hexadecimal(derived)
                == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
    }

    @Test func `MD5 of the empty string and of abc are those of RFC 1321`() {
        #expect(
            Digests.md5Hexadecimal([]) == Array("d41d8cd98f00b204e9800998ecf8427e".utf8))
        #expect(
            Digests.md5Hexadecimal(Array("abc".utf8))
                == Array("900150983cd24fb0d6963f7d28e17f72".utf8))
    }

    @Test func `equality is of lengths and of all bytes`() {
        #expect(Digests.areEqual([], []))
        #expect(Digests.areEqual([1, 2], [1, 2]))
        #expect(!Digests.areEqual([1, 2], [1, 3]))
        #expect(!Digests.areEqual([1, 2], [1, 2, 3]))
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 is that of RFC 4648`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == Array(encoded.utf8))
        #expect(Base64.decode(Array(encoded.utf8)) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
        "Zg==Zg==", "Zm9-", "Zm_v", "Zm9vé",
    ])
    func `base64 has one spelling`(text: String) {
        #expect(Base64.decode(Array(text.utf8)) == nil)
    }

    @Test func `base64 of any bytes comes back`() {
        var random = SeededBytes(seed: 1)
        for count in 0..<200 {
            let bytes = random.bytes(count)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}
