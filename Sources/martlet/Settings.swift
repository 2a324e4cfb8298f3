// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import ProxyConfiguration

/// `martlet settings`: the reference in a terminal.
struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List every setting with its meaning, default and variable.",
        discussion: """
            With --sample it is a configuration file to begin with:

              martlet settings --sample > martlet.yaml
            """)

    @Flag(help: "As a complete configuration file with comments.")
    var sample = false

    func run() {
        let text = sample ? ConfigurationReference.sampleFile : ConfigurationReference.plainText
        print(text, terminator: "")
    }
}
