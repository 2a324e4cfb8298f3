// SPDX-License-Identifier: Apache-2.0

/// Why the `options` of a startup packet are refused; in the words of PostgreSQL.
package enum StartupOptionsFault: Error, Equatable, Sendable {
    /// An unknown switch, or a word that is not a switch.
    case invalidArgument(String)
    /// `-c name` or `--name` without `=value`; the argument begins with its dashes.
    case missingValue(String)
    /// A name or value that is not UTF-8 where a name is needed.
    case invalidEncoding

    /// A syntax error, as for PostgreSQL.
    package var sqlState: SQLState { self == .invalidEncoding ? .characterNotInRepertoire : .syntaxError }

    /// The text of the error response.
    package var message: String {
        switch self {
        case .invalidArgument(let argument):
            "invalid command-line argument for server process: \(argument)"
        case .missingValue(let argument): "\(argument) requires a value"
        case .invalidEncoding: "invalid byte sequence for encoding \"UTF8\" in startup options"
        }
    }
}

/// The `options` of a startup packet: command-line switches of a server process.
///
/// Split as `pg_split_opts` does and read as `process_postgres_switches` does, getopt's habits
/// included: flags may be bundled (`-eF`), an argument may be glued on or follow (`-cname=value`,
/// `-c name=value`), and `--` ends the switches. The result is a list of settings, in order; the
/// server judges their names and values. Switches that PostgreSQL takes from the superuser at the
/// console only, and ignores otherwise, are ignored.
package enum StartupOptions {
    /// The settings that the switches stand for.
    package static func settings(
        in options: [UInt8]
    ) throws(StartupOptionsFault) -> [StartupMessage.Parameter] {
        var settings: [StartupMessage.Parameter] = []
        var words = split(options)[...]
        while let word = words.popFirst() {
            if word.elementsEqual("--".utf8) {
                if let extra = words.first { throw .invalidArgument(shown(extra)) }
                break
            }
            guard word.first == UInt8(ascii: "-"), word.count > 1 else {
                throw .invalidArgument(shown(word))
            }
            try read(bundle: word, following: &words, into: &settings)
        }
        return settings
    }

    /// Words, separated by white space unless a backslash stands before it.
    package static func split(_ options: [UInt8]) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var word: [UInt8]?
        var isEscaped = false
        for byte in options {
            if isSpace(byte) && !isEscaped {
                if let ended = word { words.append(ended) }
                word = nil
            } else if byte == UInt8(ascii: "\\") && !isEscaped {
                isEscaped = true
                word = word ?? []
            } else {
                isEscaped = false
                word = (word ?? []) + [byte]
            }
        }
        if let word { words.append(word) }
        return words
    }

    /// Words joined so that `split` gives them back; an empty one cannot be written at all.
    package static func join(_ words: [[UInt8]]) -> [UInt8] {
        Array(
            words.map { word in
                word.flatMap { isSpace($0) || $0 == UInt8(ascii: "\\") ? [0x5c, $0] : [$0] }
            }.joined(separator: [0x20]))
    }

    // MARK: Switches

    /// Reads one word that begins with a dash: flags, the last perhaps with an argument.
    private static func read(
        bundle: [UInt8], following words: inout ArraySlice<[UInt8]>,
        into settings: inout [StartupMessage.Parameter]
    ) throws(StartupOptionsFault) {
        var rest = bundle.dropFirst()
        while let flag = rest.popFirst() {
            guard let kind = Switch(flag) else { throw .invalidArgument(shown(bundle)) }
            guard kind.takesArgument else {
                settings += kind.settings
                continue
            }
            let argument: [UInt8]
            if !rest.isEmpty {
                argument = Array(rest)
            } else if let next = words.popFirst() {
                argument = next
            } else {
                throw .invalidArgument(shown(bundle))
            }
            guard let meant = try kind.settings(argument: argument) else {
                throw .invalidArgument(shown(bundle))
            }
            settings += meant
            return
        }
    }

    private static func shown(_ word: [UInt8]) -> String { String(decoding: word, as: UTF8.self) }

    // C's isspace().
    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }
}

/// The switches of `postgres`, as a client may give them.
private enum Switch {
    /// `-c` and `--`: a setting by name.
    case setting(dashes: String)
    /// A letter that stands for one setting with a fixed value.
    case fixed(name: String, value: String)
    /// A letter that stands for one setting, with its value as the argument.
    case named(String)
    case debugLevel
    case disabledPlan
    case statistics
    /// Ignored, with or without an argument.
    case ignored(takesArgument: Bool)

    private typealias Parameter = StartupMessage.Parameter

    init?(_ flag: UInt8) {
        switch Unicode.Scalar(flag) {
        case "c": self = .setting(dashes: "-c ")
        case "-": self = .setting(dashes: "--")
        case "B": self = .named("shared_buffers")
        case "d": self = .debugLevel
        case "e": self = .fixed(name: "datestyle", value: "euro")
        case "F": self = .fixed(name: "fsync", value: "false")
        case "f": self = .disabledPlan
        case "h": self = .named("listen_addresses")
        case "i": self = .fixed(name: "listen_addresses", value: "*")
        case "k": self = .named("unix_socket_directories")
        case "l": self = .fixed(name: "ssl", value: "true")
        case "N": self = .named("max_connections")
        case "O": self = .fixed(name: "allow_system_table_mods", value: "true")
        case "P": self = .fixed(name: "ignore_system_indexes", value: "true")
        case "p": self = .named("port")
        case "S": self = .named("work_mem")
        case "s": self = .fixed(name: "log_statement_stats", value: "true")
        case "t": self = .statistics
        case "W": self = .named("post_auth_delay")
        case "C", "D", "r", "v": self = .ignored(takesArgument: true)
        case "b", "E", "j", "n", "T": self = .ignored(takesArgument: false)
        default: return nil
        }
    }

    var takesArgument: Bool {
        switch self {
        case .setting, .named, .debugLevel, .disabledPlan, .statistics: true
        case .fixed: false
        case .ignored(let takesArgument): takesArgument
        }
    }

    /// The setting that a switch without an argument stands for.
    var settings: [StartupMessage.Parameter] {
        if case .fixed(let name, let value) = self { return [Parameter(name, value)] }
        return []
    }

    /// The setting that a switch with an argument stands for; nil if the argument is invalid.
    func settings(
        argument: [UInt8]
    ) throws(StartupOptionsFault) -> [StartupMessage.Parameter]? {
        switch self {
        case .setting(let dashes): [try Self.long(argument, dashes: dashes)]
        case .named(let name): [Parameter(name, argument)]
        case .debugLevel: Self.debugSettings(level: Self.integer(argument))
        case .disabledPlan: Self.planSetting(argument).map { [Parameter($0, "false")] }
        case .statistics: Self.statisticsSetting(argument).map { [Parameter($0, "true")] }
        case .fixed, .ignored: []
        }
    }

    /// `ParseLongOption`: dashes of the name are underscores, the value is all after the first `=`.
    private static func long(
        _ argument: [UInt8], dashes: String
    ) throws(StartupOptionsFault) -> StartupMessage.Parameter {
        guard let equals = argument.firstIndex(of: UInt8(ascii: "=")) else {
            throw .missingValue(dashes + String(decoding: argument, as: UTF8.self))
        }
        let name = argument[..<equals].map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
        guard let name = String(validating: name, as: UTF8.self) else { throw .invalidEncoding }
        return Parameter(name, Array(argument[(equals + 1)...]))
    }

    /// `set_debug_options`.
    private static func debugSettings(level: Int) -> [StartupMessage.Parameter] {
        var settings = [Parameter("log_min_messages", level > 0 ? "debug\(level)" : "notice")]
        if level >= 2 { settings.append(Parameter("log_statement", "all")) }
        if level >= 3 { settings.append(Parameter("debug_print_parse", "true")) }
        if level >= 4 { settings.append(Parameter("debug_print_plan", "true")) }
        if level >= 5 { settings.append(Parameter("debug_print_rewritten", "true")) }
        return settings
    }

    /// `set_plan_disabling_options`: the first letter decides.
    private static func planSetting(_ argument: [UInt8]) -> String? {
        switch argument.first.map(Unicode.Scalar.init) {
        case "s": "enable_seqscan"
        case "i": "enable_indexscan"
        case "o": "enable_indexonlyscan"
        case "b": "enable_bitmapscan"
        case "t": "enable_tidscan"
        case "n": "enable_nestloop"
        case "m": "enable_mergejoin"
        case "h": "enable_hashjoin"
        default: nil
        }
    }

    /// `get_stats_option_name`: as many letters as it takes to tell them apart.
    private static func statisticsSetting(_ argument: [UInt8]) -> String? {
        if argument.starts(with: "pa".utf8) { return "log_parser_stats" }
        if argument.starts(with: "pl".utf8) { return "log_planner_stats" }
        if argument.starts(with: "e".utf8) { return "log_executor_stats" }
        return nil
    }

    /// C's `atoi`: digits at the front, anything else is zero; never beyond 32 bits.
    private static func integer(_ argument: [UInt8]) -> Int {
        var rest = argument.drop { $0 == 0x20 || (9...13).contains($0) }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        var number = 0
        for digit in rest.prefix(while: { (0x30...0x39).contains($0) }) {
            number = min(number * 10 + Int(digit - 0x30), Int(Int32.max))
        }
        return isNegative ? -number : number
    }
}
