// SPDX-License-Identifier: Apache-2.0

/// A part of the sources as its structure has it: which types there are, and who touches whose fields.
struct Core {
    struct File {
        var path: String
        var text: SourceText
        var declarations: Declarations

        var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
        var name: String { String(path.split(separator: "/").last ?? "") }
    }

    let files: [File]
    /// Types that a parameter or property of this name has anywhere: `client` is a `ClientSession`.
    let typesOfNames: [String: Set<String>]
    /// The files that declare a stored property of an instance, by type and name.
    private let fields: [String: [(owner: String, file: String)]]

    init(_ sources: [SwiftFile]) {
        files = sources.map {
            File(path: $0.path, text: $0.text, declarations: Declarations($0.text))
        }
        var types: [String: Set<String>] = [:]
        var fields: [String: [(owner: String, file: String)]] = [:]
        for file in files {
            let tokens = file.text.tokens
            for index in tokens.indices.dropFirst() where index + 1 < tokens.count {
                guard tokens[index].text == ":" || tokens[index].text == "=",
                    tokens[index - 1].text.first?.isLowercase ?? false,
                    tokens[index + 1].text.first?.isUppercase ?? false
                else { continue }
                types[tokens[index - 1].text, default: []].insert(
                    Self.last(Self.dotted(tokens, at: index + 1)))
            }
            for type in file.declarations.types {
                for property in type.properties {
                    fields[property.name, default: []].append((type.name, file.path))
                }
            }
        }
        typesOfNames = types
        self.fields = fields
    }

    private static func dotted(_ tokens: [SourceText.Token], at index: Int) -> String {
        var name = tokens[index].text
        var next = index + 1
        while next + 1 < tokens.count, tokens[next].text == ".",
            tokens[next + 1].text.first?.isUppercase ?? false
        {
            name += "." + tokens[next + 1].text
            next += 2
        }
        return name
    }

    /// `Bound` of `ServerConnection.Bound`.
    static func last(_ name: String) -> String {
        name.split(separator: ".").last.map(String.init) ?? name
    }

    // MARK: Writers

    /// A file that assigns a field whose type is declared in another file.
    struct Write: Hashable, Comparable, CustomStringConvertible {
        var file: String
        var field: String

        static func < (a: Write, b: Write) -> Bool { (a.file, a.field) < (b.file, b.field) }
        var description: String { "\(file) assigns \(field)" }
    }

    /// Every file and field of such assignments. Who a field belongs to is found by the names before it;
    /// where that is in doubt nothing is said, so these are too few rather than too many.
    var writes: [Write] {
        var result: Set<Write> = []
        for file in files {
            let tokens = file.text.tokens
            for index in tokens.indices where isAssigned(tokens, index) {
                guard let candidates = fields[tokens[index].text] else { continue }
                let owners = owners(of: index, in: file, among: candidates.map(\.owner))
                let homes = candidates.filter { owners.contains($0.owner) }
                guard let home = homes.first, homes.count == 1, home.file != file.path else {
                    continue
                }
                result.insert(
                    Write(file: file.path, field: "\(home.owner).\(tokens[index].text)"))
            }
        }
        return result.sorted()
    }

    /// `name =`, `name += `, `name[...] =` and `name &+= `, but not `name ==`, `let name =`, `name: =`.
    private func isAssigned(_ tokens: [SourceText.Token], _ index: Int) -> Bool {
        let before = index > 0 ? tokens[index - 1].text : ""
        guard tokens[index].text.first?.isLowercase ?? false, !["let", "var", "case"].contains(before)
        else { return false }
        var next = index + 1
        if next < tokens.count, tokens[next].text == "[", tokens[next].isAdjacent {
            var depth = 0
            repeat {
                if tokens[next].text == "[" { depth += 1 }
                if tokens[next].text == "]" { depth -= 1 }
                next += 1
            } while depth > 0 && next < tokens.count
        }
        func text(_ offset: Int) -> String {
            next + offset < tokens.count ? tokens[next + offset].text : ""
        }
        if text(0) == "=" { return text(1) != "=" || !tokens[next + 1].isAdjacent }
        // Two assigning operators: `+=` and `&+=`.
        if ["+", "-", "|", "*", "^"].contains(text(0)) {
            return text(1) == "=" && tokens[next + 1].isAdjacent
        }
        return text(0) == "&" && ["+", "-"].contains(text(1)) && text(2) == "="
    }

    /// Which of these types the field at a token can belong to.
    private func owners(of index: Int, in file: File, among candidates: [String]) -> [String] {
        let tokens = file.text.tokens
        let around = file.declarations.owners[index]
        guard index > 1, tokens[index - 1].text == "." else {
            // Its own type's, said from an extension.
            return candidates.filter { $0 == around }
        }
        var receiver = index - 2
        while receiver > 0, ["?", "!"].contains(tokens[receiver].text) { receiver -= 1 }
        let name = tokens[receiver].text
        if name == "self" { return candidates.filter { $0 == around } }
        if let types = typesOfNames[name] {
            return candidates.filter { types.contains(Self.last($0)) }
        }
        return candidates.count == 1 ? candidates : []
    }
}
