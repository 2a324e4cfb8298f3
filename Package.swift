// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// Every target is built with the same language rules; `MARTLET_STRICT=1` (Tests/run) turns warnings into errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    // Watching for overlapping accesses doubles the instructions of a transaction in the core (2.1 to
    // 2.4 times, benchmarks/hotpath), and the tests' builds watch as well. Without the second flag
    // small functions of other modules are not specialized.
    .unsafeFlags(
        ["-enforce-exclusivity=unchecked", "-cross-module-optimization"],
        .when(configuration: .release)),
] + (Context.environment["MARTLET_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : [])

let package = Package(
    name: "martlet",
    products: [.executable(name: "martlet", targets: ["martlet"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(name: "PostgresWire", swiftSettings: settings),
        .target(name: "StatementClassifier", swiftSettings: settings),
        .executableTarget(
            name: "classify", dependencies: ["ProxyCore", "StatementClassifier"], swiftSettings: settings),
        .executableTarget(
            name: "hotpath", dependencies: ["ProxyCore", "PostgresWire"], swiftSettings: settings),
        .target(
            name: "ProxyCore",
            dependencies: [
                "PostgresWire", "StatementClassifier", "COpenSSL",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),
        .target(
            name: "ProxyConfiguration",
            dependencies: ["ProxyCore", .product(name: "Yams", package: "Yams")],
            swiftSettings: settings),
        .target(
            name: "ProxyRuntime",
            dependencies: [
                "ProxyCore", "ProxyConfiguration", "PostgresWire", "StatementClassifier",
                "CLinux", "CLibpq", "COpenSSL", "CCurl",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "ProxyRuntime", "ProxyConfiguration", "ProxyCore", "StatementClassifier",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Documentation.docc"],
            swiftSettings: settings),
        .testTarget(
            name: "PostgresWireTests", dependencies: ["PostgresWire"], swiftSettings: settings),
        .testTarget(
            name: "StatementClassifierTests", dependencies: ["StatementClassifier"],
            swiftSettings: settings),
        .testTarget(
            name: "ProxyCoreTests",
            dependencies: ["ProxyCore", "PostgresWire", "StatementClassifier"],
            swiftSettings: settings),
        .testTarget(
            name: "ProxyConfigurationTests", dependencies: ["ProxyConfiguration", "ProxyCore"],
            swiftSettings: settings),
        .testTarget(
            name: "ProxyRuntimeTests",
            dependencies: [
                "ProxyRuntime", "ProxyConfiguration", "ProxyCore", "PostgresWire",
                "StatementClassifier",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "martletTests",
            dependencies: [
                "martlet", "ProxyConfiguration", "ProxyCore", "ProxyRuntime",
                "StatementClassifier",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        .testTarget(name: "TidyTests", swiftSettings: settings),
    ]
)

/// The fuzzers need a sanitizer's runtime, so that they are there only for whoever builds them
/// (`Tests/Fuzz/run`). They play with the same clients and servers as the tests of the core.
if Context.environment["MARTLET_FUZZ"] == "1" {
    package.targets.removeAll { $0.isTest }
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["ProxyCore", "PostgresWire", "StatementClassifier"],
            path: "Tests", exclude: ["Fuzz/README.md", "Fuzz/corpora", "Fuzz/run", "Fuzz/statement.dict"],
            sources: [
                "Fuzz", "ProxyCoreTests/Pooler/Chunking.swift",
                "ProxyCoreTests/Pooler/CountingLedger.swift",
                "ProxyCoreTests/Pooler/Message.swift", "ProxyCoreTests/Pooler/ModelServer.swift",
                "ProxyCoreTests/Pooler/ModelServer+Statements.swift",
                "ProxyCoreTests/Pooler/PlayedClient.swift", "ProxyCoreTests/Pooler/Trace.swift",
                "ProxyCoreTests/Pooler/World.swift",
            ],
            // libFuzzer brings `main`.
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]))
}
