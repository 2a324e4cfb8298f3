// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import Testing

/// The three settings that suffice.
let minimal = """
    patroni: {urls: [http://127.0.0.1:8008]}
    service: {user: martlet, password: sesame}

    """

/// Loads text, environment and flags; password files come from a dictionary.
func load(
    _ yaml: String?, environment: [String: String] = [:],
    flags: [ConfigurationSources.Flag] = [], secrets: [String: SecretFile] = [:]
) throws(ConfigurationError) -> Configuration.Loaded {
    var sources = ConfigurationSources()
    sources.file = yaml.map { ("martlet.yaml", $0) }
    sources.environment = environment
    sources.flags = flags
    sources.readSecret = { secrets[$0] ?? .unreadable(reason: "there is no file '\($0)'") }
    return try Configuration.load(sources)
}

/// Expects exactly these problems, one a line, after `minimal`.
func expect(
    _ yaml: String, environment: [String: String] = [:], fails expected: String,
    withMinimal: Bool = true, secrets: [String: SecretFile] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
) {
    do {
        _ = try load(
            withMinimal ? minimal + yaml : yaml, environment: environment, secrets: secrets)
        Issue.record("loaded without an error", sourceLocation: sourceLocation)
    } catch {
        #expect(error.description == expected, sourceLocation: sourceLocation)
    }
}

/// The configuration of `minimal` and more.
func configuration(
    _ yaml: String = "", environment: [String: String] = [:]
) throws(ConfigurationError) -> Configuration {
    try load(minimal + yaml, environment: environment).configuration
}
