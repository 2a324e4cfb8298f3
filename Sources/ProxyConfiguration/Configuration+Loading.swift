// SPDX-License-Identifier: Apache-2.0

extension Configuration {
    /// A configuration, and what an operator should hear about it.
    package struct Loaded: Equatable, Sendable {
        package let configuration: Configuration
        /// Nothing is wrong with it, but something may not be meant.
        package let warnings: [String]
    }

    /// Reads and checks everything; throws all problems at once.
    package static func load(
        _ sources: ConfigurationSources
    ) throws(ConfigurationError) -> Loaded {
        var reader = SettingsReader()
        reader.read(sources)
        guard reader.isFileIntelligible else {
            throw ConfigurationError(problems: reader.problems.found)
        }
        var check = SettingsCheck(reader, sources)
        guard let configuration = check.run() else {
            throw ConfigurationError(problems: check.problems.found)
        }
        return Loaded(configuration: configuration, warnings: check.warnings)
    }

    /// From text alone, as tests do; password files are still read.
    package static func load(
        yaml: String, name: String = "martlet.yaml", environment: [String: String] = [:]
    ) throws(ConfigurationError) -> Configuration {
        var sources = ConfigurationSources()
        sources.file = (name, yaml)
        sources.environment = environment
        return try load(sources).configuration
    }
}
