// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import ProxyConfiguration

/// `martlet check`: tries everything that `serve` will need.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the configuration and the cluster, and say how to fix what is wrong.",
        discussion: """
            It reads the configuration as `martlet serve` would, asks every Patroni address and every \
            member by REST and by SQL as the service account, and prints one line a check. \
            Nothing is changed. It may run beside a running martlet.

              martlet check --config martlet.yaml

            Exit codes: 0 when all is well, 1 when a check failed, 78 when the configuration is \
            wrong.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Only check the configuration and its certificates; connect to nothing.")
    var offline = false

    @Flag(help: "Also print every setting with its value; secrets are masked.")
    var show = false

    func run() async throws {
        let loaded = try Configuration.Loaded.orExit(file: options.config, flags: options.flags)
        let configuration = loaded.configuration
        if show { print(configuration.description, terminator: "\n\n") }
        print(CheckFinding.ok("configuration", "no contradiction").text)
        for warning in loaded.warnings {
            print(CheckFinding.warning("configuration", warning).text)
        }
        var findings = CertificateRules(configuration: configuration).findings
        if !offline {
            let facts = await ClusterProbe(configuration).facts()
            findings += CheckRules(configuration: configuration, facts: facts).findings
        }
        for finding in findings {
            print(finding.text)
        }
        let failures = findings.count { $0.verdict == .failure }
        guard failures == 0 else {
            print("\n\(failures) of \(findings.count + 1) checks failed")
            throw ExitCode.failure
        }
        guard !offline else { return }
        print("\nall \(findings.count + 1) checks passed")
    }
}
