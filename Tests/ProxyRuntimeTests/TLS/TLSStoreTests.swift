// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import ProxyConfiguration
import ProxyCore
import Testing
@testable import ProxyRuntime

struct TLSStoreTests {
    private let files: TestCertificates
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        files = try TestCertificates()
        try files.makeAuthority()
        try files.make("server")
        try files.make("next")
    }

    private var settings: TLSStore.Settings {
        var settings = TLSStore.Settings(clientMode: .allow)
        settings.client.files = TLSFiles(
            certificate: files.path("server.crt"), key: files.path("server.key"))
        settings.server.mode = .disable
        return settings
    }

    @Test func `a certificate is read again when its file is another`() throws {
        let store = try TLSStore(settings, logger: logger)
        let first = try #require(store.clientContext)
        store.refresh()
        #expect(store.clientContext === first)
        try files.replace("server", by: "next")
        store.refresh()
        let second = try #require(store.clientContext)
        #expect(second !== first)
    }

    @Test func `files that do not fit together leave the old ones in force`() throws {
        let store = try TLSStore(settings, logger: logger)
        let first = try #require(store.clientContext)
        let key = try String(contentsOfFile: files.path("server.key"), encoding: .utf8)
        try files.replace("server", by: "next")
        try key.write(toFile: files.path("server.key"), atomically: true, encoding: .utf8)
        store.refresh()
        #expect(store.clientContext === first)
        try files.replace("server", by: "next")
        store.refresh()
        #expect(store.clientContext !== first)
    }

    @Test func `TLS that cannot be had is an error at the start and at a reload`() throws {
        var broken = settings
        broken.client.files.key = files.path("next.key")
        #expect(throws: TLSFault.self) { try TLSStore(broken, logger: logger) }
        let store = try TLSStore(settings, logger: logger)
        let first = store.clientContext
        #expect(throws: TLSFault.self) { try store.reconfigure(broken) }
        #expect(store.clientContext === first)
        var off = settings
        off.clientMode = .disable
        try store.reconfigure(off)
        #expect(store.clientContext == nil)
    }

    @Test func `a certificate tells how long it is good`() throws {
        let certificate = try Certificate(file: files.path("server.crt"))
        #expect(certificate.commonName == "localhost")
        #expect(certificate.secondsToValidity <= 0)
        #expect((29 * 86_400...30 * 86_400).contains(certificate.secondsLeft))
        try files.make("old", days: -1)
        #expect(try Certificate(file: files.path("old.crt")).secondsLeft < 0)
        #expect(throws: TLSFault.self) { try Certificate(file: files.path("server.key")) }
    }
}
