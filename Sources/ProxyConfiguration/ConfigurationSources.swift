// SPDX-License-Identifier: Apache-2.0

/// Everything that a configuration is made of, already in memory except for secret files.
package struct ConfigurationSources: Sendable {
    /// The file's name for messages, and its text; nil when there is none.
    package var file: (name: String, text: String)?
    /// All of the process; what does not begin with `MARTLET_` is left alone.
    package var environment: [String: String] = [:]
    /// Later ones win.
    package var flags: [Flag] = []
    /// Reads a file that holds a password.
    package var readSecret: @Sendable (_ path: String) -> SecretFile = SecretFile.read

    /// No file, no variables, no flags.
    package init() {}

    /// A setting given on the command line.
    package struct Flag: Sendable {
        /// As the user typed it, for messages.
        package let name: String
        /// The setting's full name, such as `log.level`; an unknown one is reported.
        package let path: String
        package let text: String

        package init(name: String, path: String, text: String) {
            self.name = name
            self.path = path
            self.text = text
        }
    }
}
