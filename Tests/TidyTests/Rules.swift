// SPDX-License-Identifier: Apache-2.0

/// All rules over Swift files, in the order of the style guide.
enum Rules {
    static let longestFunction = 70
    static let longestFile = 450

    static let all: [Rule] = [
        licence, fileLength, functionLength, fileName, imports, coreWords, bannedWords, overrules,
        forceUnwraps, unsafePlaces, uncheckedSendable, emptyCatches,
    ]

    static let licence = Rule(name: "the licence is the first line") { file in
        let wanted = "// SPDX-License-Identifier: Apache-2.0"
        let first = file.text.line(1)
        // The package manager wants to be the first in its manifest.
        let line = first.hasPrefix("// swift-tools-version:") ? 2 : 1
        return file.text.line(line) == wanted
            ? [] : [file.finding(line, "the first line must be '\(wanted)'")]
    }

    static let fileLength = Rule(name: "no file is longer than \(longestFile) lines") { file in
        let count = file.text.lineCount
        let most = max(longestFile, AllowLists.overlongFiles[file.path] ?? 0)
        guard count > most, !AllowLists.longFiles.contains(file.path) else { return [] }
        return [
            file.finding(
                most + 1, "\(count) lines; a file has at most \(most): split it by concept")
        ]
    }

    static let functionLength = Rule(
        name: "no function is longer than \(longestFunction) lines"
    ) { file in
        Functions.all(in: file.text).compactMap { function in
            guard function.lineCount > longestFunction else { return nil }
            return file.finding(
                function.line,
                "'\(function.name)' has \(function.lineCount) lines; a function has at most "
                    + "\(longestFunction): name its parts")
        }
    }

    static let fileName = Rule(name: "a file is named for a type that it declares") { file in
        guard !["main", "Package"].contains(file.name), !AllowLists.collections.contains(file.path)
        else { return [] }
        let parts = file.name.split(separator: "+", maxSplits: 1)
        guard let subject = parts.first.map(String.init) else { return [] }
        let keywords = ["struct", "class", "enum", "actor", "protocol", "typealias", "extension"]
        let isDeclared = keywords.contains { keyword in
            if parts.count > 1 && keyword != "extension" { return false }
            return !file.text.places(of: [keyword, subject]).isEmpty
        }
        // A file of free tests is named for what they test.
        let isTests = subject.hasSuffix("Tests") && !file.text.places(of: ["@Test"]).isEmpty
        return isDeclared || isTests
            ? []
            : [file.finding(1, "declares no '\(subject)'; name it for a type that it declares")]
    }

    static let imports = Rule(name: "a target imports only what its place in the layout allows") {
        file in
        guard file.isSource else { return [] }
        let tokens = file.text.tokens
        var findings: [Finding] = []
        for (index, token) in tokens.enumerated() where token.text == "import" {
            guard index + 1 < tokens.count, tokens[index + 1].line == token.line else { continue }
            let module = tokens[index + 1].text
            // The keyword tables of the classifier have an `import`, too.
            guard module.first?.isLetter ?? false else { continue }
            let isAllowed =
                AllowLists.imports[file.target]?.contains(module)
                ?? !AllowLists.controlledModules.contains(module)
            if !isAllowed {
                findings.append(
                    file.finding(token.line, "\(file.target) must not import \(module)"))
            }
            if module.hasPrefix("NIO") {
                findings.append(file.finding(token.line, "sockets are driven by Dispatch, not NIO"))
            }
            let access =
                index > 0 && tokens[index - 1].line == token.line ? tokens[index - 1].text : ""
            if !["internal", "package"].contains(access) {
                findings.append(
                    file.finding(token.line, "say 'internal import' or 'package import' \(module)"))
            }
        }
        return findings
    }

    /// Words of the outside world, and what the core has instead.
    private static let worldly: [([String], String)] = [
        (["Date", "("], "time is a parameter: take an Instant"),
        ([".", "now"], "time is a parameter: take an Instant"),
        (["ContinuousClock"], "time is a parameter: take an Instant"),
        (["random", "("], "chance is a parameter: take a seeded generator"),
        (["randomElement", "("], "chance is a parameter: take a seeded generator"),
        (["shuffled", "("], "chance is a parameter: take a seeded generator"),
        (["SystemRandomNumberGenerator"], "chance is a parameter: take a seeded generator"),
        (["print", "("], "the core never logs: return a LogEvent"),
        (["Task", "{"], "the core has no tasks: return an effect"),
        (["Mutex", "<"], "the core is confined to its shard: it needs no lock"),
        (["Mutex", "("], "the core is confined to its shard: it needs no lock"),
        (["Atomic", "<"], "the core is confined to its shard: it needs no atomics"),
        (["@MainActor"], "the core is confined to its shard"),
        (["await"], "the core does not wait: return an effect"),
    ]

    static let coreWords = Rule(name: "the core knows no clock, chance, output, lock or task") {
        file in
        guard ["ProxyCore", "PostgresWire", "StatementClassifier"].contains(file.target) else {
            return []
        }
        return worldly.flatMap { pattern, instead in
            file.text.places(of: pattern).map {
                file.finding($0.line, "'\(pattern.joined())' in the core; \(instead)")
            }
        }
    }

    /// Words that are nowhere in a finished source.
    private static let unfinished: [([String], String)] = [
        (["fatalError"], "a bug is a precondition, anything else has an outcome"),
        (["try", "!"], "handle the error, or make it impossible"),
        (["as", "!"], "handle the other case, or make it impossible"),
        (["@inlinable"], "banned until a profile asks for it"),
    ]

    static let bannedWords = Rule(name: "sources hold nothing that gives up or looks away") {
        file in
        guard file.isSource else { return [] }
        return unfinished.flatMap { pattern, instead in
            file.text.places(of: pattern).map {
                file.finding($0.line, "'\(pattern.joined())'; \(instead)")
            }
        }
    }

    static let overrules = Rule(name: "who overrules the compiler says why") { file in
        guard file.isSource else { return [] }
        let patterns = [["nonisolated", "(", "unsafe", ")"], ["@preconcurrency"]]
        return patterns.flatMap { pattern in
            file.text.places(of: pattern).compactMap { place in
                let above = file.text.line(place.line - 1).drop { $0 == " " }
                guard !above.hasPrefix("//") else { return nil }
                return file.finding(
                    place.line, "say on the line above why '\(pattern.joined())' is safe")
            }
        }
    }

    static let forceUnwraps = Rule(name: "sources unwrap nothing by force") { file in
        guard file.isSource else { return [] }
        let tokens = file.text.tokens
        return tokens.indices.dropFirst().compactMap { index in
            let (mark, before) = (tokens[index], tokens[index - 1])
            guard mark.text == "!", mark.isAdjacent, !["try", "as"].contains(before.text) else {
                return nil
            }
            let last = before.text.unicodeScalars.last ?? " "
            let isValue = last.properties.isAlphabetic || ")]_".unicodeScalars.contains(last)
            // The address of a buffer that is known not to be empty has no other way.
            guard isValue, before.text != "baseAddress", before.text != "return" else { return nil }
            return file.finding(mark.line, "'\(before.text)!'; bind it with guard or if")
        }
    }

    static let unsafePlaces = Rule(name: "unsafe appears only where bytes and C are handled") {
        file in
        guard file.isSource, !AllowLists.unsafePlaces.contains(where: file.path.hasPrefix) else {
            return []
        }
        return file.text.places(of: ["unsafe"]).prefix(1).map {
            file.finding(
                $0.line,
                "'unsafe' outside AllowLists.unsafePlaces; use Span, or move it to where bytes are")
        }
    }

    static let uncheckedSendable = Rule(name: "an unchecked Sendable is known and says why") {
        file in
        file.text.places(of: ["@unchecked", "Sendable"]).flatMap { place in
            var findings: [Finding] = []
            if file.isSource && !AllowLists.unchecked.contains(file.path) {
                findings.append(
                    file.finding(
                        place.line,
                        "'@unchecked Sendable' outside AllowLists.unchecked; use a Mutex"))
            }
            let above = file.text.line(place.line - 1).drop { $0 == " " }
            if !above.hasPrefix("// ") {
                findings.append(
                    file.finding(
                        place.line, "say on the line above why '@unchecked Sendable' is safe"))
            }
            return findings
        }
    }

    static let emptyCatches = Rule(name: "no error is swallowed without a word") { file in
        guard file.isSource else { return [] }
        return file.text.places(of: ["catch", "{", "}"]).filter {
            !file.text.line($0.line).contains("//") && !file.text.line($0.line + 1).contains("//")
        }.map { file.finding($0.line, "an empty catch; say why the error does not matter") }
    }
}
