// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import ProxyConfiguration

/// The flags of every command that needs a configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The configuration file; by default $MARTLET_CONFIG, or "
                + "\(ConfigurationSources.standardFile) if it is there.",
            valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Where clients connect; may be given several times.", valueName: "host:port"))
    var listen: [String] = []

    @Option(
        help: ArgumentHelp(
            "The least important events to log: trace, debug, info, notice, warning, error or "
                + "critical.", valueName: "level"))
    var logLevel: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Any setting, such as pools.size=40; may be given several times. Passwords are "
                + "better given by file: arguments can be seen by every user.",
            valueName: "name=value"))
    var settings: [String] = []

    /// Checks that need no knowledge of the settings.
    func validate() throws {
        if let wrong = settings.first(where: { !$0.contains("=") }) {
            throw ValidationError("--set \(wrong): write NAME=VALUE, such as pools.size=40")
        }
    }

    /// Reads file, environment and flags; again at each call.
    func load() throws(ConfigurationError) -> Configuration.Loaded {
        try Configuration.load(ConfigurationSources.gather(file: config, flags: flags))
    }

    /// The flags as the configuration expects them.
    var flags: [ConfigurationSources.Flag] {
        var flags = settings.map { text in
            let name = text.prefix { $0 != "=" }
            return ConfigurationSources.Flag(
                name: "--set", path: String(name), text: String(text.dropFirst(name.count + 1)))
        }
        if !listen.isEmpty {
            flags.append(
                .init(name: "--listen", path: "listen", text: listen.joined(separator: ",")))
        }
        if let logLevel {
            flags.append(.init(name: "--log-level", path: "log.level", text: logLevel))
        }
        return flags
    }
}

extension Configuration.Loaded {
    /// Loads the configuration; on failure, prints the errors and ends the command.
    static func orExit(
        file: String?, flags: [ConfigurationSources.Flag]
    ) throws(ExitCode) -> Configuration.Loaded {
        do {
            let sources = try ConfigurationSources.gather(file: file, flags: flags)
            return try Configuration.load(sources)
        } catch {
            Terminal.warn(error.description)
            let count = error.problems.count
            let errors = count == 1 ? "an error" : "\(count) errors"
            Terminal.warn("martlet: \(errors) in the configuration")
            throw .badConfiguration
        }
    }
}
