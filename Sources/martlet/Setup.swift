// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import ProxyConfiguration
internal import ProxyCore

/// `martlet setup`: SQL on standard output.
struct Setup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the SQL that prepares a cluster for martlet.",
        discussion: """
            It makes the service account, and a function through which that account looks up the \
            secrets of the users who log in, so that it need not be a superuser. Read it, then \
            run it as a superuser on the primary:

              martlet setup | psql -h PRIMARY -U postgres -d postgres -v ON_ERROR_STOP=1

            It may be run again at any time. With --config, names are taken from the configuration; \
            with --with-password, the role's password as well.
            """)

    @Option(name: [.short, .long], help: "Take user, database and function from this file.")
    var config: String?

    @Option(help: "The service account.")
    var user: String?

    @Option(help: "The database that the service account connects to.")
    var database: String?

    @Option(help: "The function that looks up secrets, as schema.name.")
    var function: String?

    @Flag(help: "Do not let superusers log in through martlet.")
    var withoutSuperusers = false

    @Flag(help: "Also set the password of the configuration, as a SCRAM secret.")
    var withPassword = false

    func validate() throws {
        if withPassword, config == nil {
            throw ValidationError("--with-password needs --config, which holds the password")
        }
    }

    func run() throws {
        var script = SetupScript()
        script.includesSuperusers = !withoutSuperusers
        if let config {
            let loaded = try Configuration.Loaded.orExit(file: config, flags: []).configuration
            script.user = loaded.service.user
            script.database = loaded.service.database
            script.function = loaded.lookupFunction
            if withPassword {
                script.password = Self.secret(of: loaded.service.password)
            }
        }
        if let user { script.user = user }
        if let database { script.database = database }
        if let function { script.function = function }
        print(script.text, terminator: "")
    }

    /// The password itself would be seen in the server's log, its SCRAM secret may be.
    private static func secret(of password: Password) -> String {
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        let keys = ScramKeys(
            password: Array(password.text.utf8), salt: salt,
            iterations: ScramSecret.standardIterations)
        return keys.secret.text
    }
}
