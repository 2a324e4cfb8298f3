// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

private func settings(_ options: String) throws -> [StartupMessage.Parameter] {
    try StartupOptions.settings(in: Array(options.utf8))
}

private func fault(_ options: String) -> StartupOptionsFault? {
    do throws(StartupOptionsFault) {
        _ = try StartupOptions.settings(in: Array(options.utf8))
        return nil
    } catch {
        return error
    }
}

private func words(_ options: String) -> [String] {
    StartupOptions.split(Array(options.utf8)).map { String(decoding: $0, as: UTF8.self) }
}

@Suite struct StartupOptionsTests {
    // Edge cases: 6
    @Test func `words end at white space that no backslash protects`() {
        #expect(words("") == [])
        #expect(words("  \t\n ") == [])
        #expect(words(" a  b\tc\u{b}d\u{c}e\r") == ["a", "b", "c", "d", "e"])
        #expect(words(#"a\ b c\\d \e"#) == ["a b", #"c\d"#, "e"])
        #expect(words(#"a\"#) == ["a"])
        #expect(words(#"a \"#) == ["a", ""])
        #expect(words(#"'a b'"#) == ["'a", "b'"])
    }

    // Edge cases: 6
    @Test(arguments: [
        "-c work_mem=1MB", "-cwork_mem=1MB", "--work_mem=1MB", "--work-mem=1MB", "-S 1MB", "-S1MB",
        " -c  work-mem=1MB ", "-c work_mem=1MB --",
    ])
    func `one setting has many spellings`(options: String) throws {
        #expect(try settings(options) == [.init("work_mem", "1MB")])
    }

    @Test func `values keep their dashes, equals signs and escaped spaces`() throws {
        #expect(
            try settings(#"-c search_path=a\ b,c --x.y=1=2-3 -c a="#)
                == [.init("search_path", "a b,c"), .init("x.y", "1=2-3"), .init("a", "")])
    }

    @Test func `the order stays, duplicates included`() throws {
        #expect(
            try settings("-c a=1 --b=2 -c a=3")
                == [.init("a", "1"), .init("b", "2"), .init("a", "3")])
    }

    @Test func `letters stand for settings, alone and bundled`() throws {
        #expect(
            try settings("-eF -sS 4MB -fs -f h -tpa -tpl -te -OP")
                == [
                    .init("datestyle", "euro"), .init("fsync", "false"),
                    .init("log_statement_stats", "true"), .init("work_mem", "4MB"),
                    .init("enable_seqscan", "false"), .init("enable_hashjoin", "false"),
                    .init("log_parser_stats", "true"), .init("log_planner_stats", "true"),
                    .init("log_executor_stats", "true"), .init("allow_system_table_mods", "true"),
                    .init("ignore_system_indexes", "true"),
                ])
        #expect(try settings("-ec a=b") == [.init("datestyle", "euro"), .init("a", "b")])
    }

    @Test func `debug levels turn on more and more`() throws {
        #expect(try settings("-d 0") == [.init("log_min_messages", "notice")])
        #expect(try settings("-d1") == [.init("log_min_messages", "debug1")])
        #expect(try settings("-d x") == [.init("log_min_messages", "notice")])
        #expect(
            try settings("-d 5").map(\.name) == [
                "log_min_messages", "log_statement", "debug_print_parse", "debug_print_plan",
                "debug_print_rewritten",
            ])
    }

    @Test func `switches for the console are ignored, with their arguments`() throws {
        #expect(try settings("-n -T -E -j -b -D /x -r file -v 2 -C port") == [])
    }

    @Test(arguments: ["x", "-", "-X", "-x", "-eX", "-c", "-S", "-fz", "-t p", "-t x", "-f", "-- x"])
    func `anything else is an invalid argument`(options: String) {
        let refused = fault(options)
        #expect(refused?.sqlState == "42601")
        guard case .invalidArgument = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
    }

    @Test func `a setting needs a value`() {
        #expect(fault("-c work_mem") == .missingValue("-c work_mem"))
        #expect(fault("--work_mem")?.message == "--work_mem requires a value")
    }

    @Test func `a setting's name must be readable, its value need not be`() throws {
        #expect(throws: StartupOptionsFault.invalidEncoding) {
            try StartupOptions.settings(in: Array("-c \u{e9}".utf8.dropLast()) + [0x3d, 0x31])
        }
        #expect(
            try StartupOptions.settings(in: Array("-c a=".utf8) + [0xe9]) == [.init("a", [0xe9])])
    }

    @Test func `words that were joined are split into the same words`() {
        var random = SeededGenerator(seed: 21)
        let alphabet = Array("a-c= \\\t\n'é".utf8)
        for _ in 0..<3_000 {
            let words = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                (0..<Int.random(in: 1...12, using: &random)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                }
            }
            #expect(StartupOptions.split(StartupOptions.join(words)) == words)
        }
    }

    @Test func `settings that were written are read as the same settings`() throws {
        var random = SeededGenerator(seed: 22)
        for _ in 0..<2_000 {
            let settings = (0..<Int.random(in: 0...4, using: &random)).map { index in
                StartupMessage.Parameter("name\(index)", random.text(0...20))
            }
            let words = settings.flatMap {
                [Array("-c".utf8), Array("\($0.name)=".utf8) + $0.value]
            }
            #expect(try StartupOptions.settings(in: StartupOptions.join(words)) == settings)
        }
    }

    @Test func `any bytes are read or refused`() {
        var random = SeededGenerator(seed: 23)
        let alphabet = Array("-cdefStW= \\a1".utf8)
        var accepted = 0
        for _ in 0..<5_000 {
            let options = random.text(0...30).map { alphabet[Int($0) % alphabet.count] }
            let read = try? StartupOptions.settings(in: options)
            let raw = try? StartupOptions.settings(in: random.text(0...30))
            if read != nil || raw != nil { accepted += 1 }
        }
        #expect(accepted > 0 && accepted < 5_000)
    }
}
