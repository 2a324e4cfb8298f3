// SPDX-License-Identifier: Apache-2.0

/// Which file of a folder calls functions of which other one.
///
/// Calls are found by name. The type before the dot is taken from the declarations of parameters and
/// properties of that name; a name without a dot is a function of the type around it. Where several
/// files could be meant nothing is said, so there are too few calls rather than too many.
struct CallGraph {
    /// The file whose functions everybody may call; it is not looked at as a callee.
    let coordinator: String?
    let files: [String]
    /// What each file calls, and by which names.
    private(set) var calls: [String: [String: Set<String>]] = [:]

    init(folder: String, of core: Core, coordinator: String? = nil) {
        let members = core.files.filter { $0.folder == folder }
        self.coordinator = coordinator
        files = members.map(\.name).sorted()
        var declared: [String: [(owner: String, file: String)]] = [:]
        for file in members {
            for function in file.declarations.functions {
                declared[function.name, default: []].append((function.owner, file.name))
            }
        }
        for file in members {
            let tokens = file.text.tokens
            for index in tokens.indices.dropFirst() where index + 1 < tokens.count {
                let name = tokens[index].text
                guard let candidates = declared[name], ["(", "{"].contains(tokens[index + 1].text),
                    tokens[index - 1].text != "func"
                else { continue }
                let found = Self.meant(candidates, at: index, in: file, core)
                guard let callee = found.first, found.count == 1, callee != file.name,
                    callee != coordinator
                else { continue }
                calls[file.name, default: [:]][callee, default: []].insert(name)
            }
        }
    }

    /// The files whose function a call can mean.
    private static func meant(
        _ candidates: [(owner: String, file: String)], at index: Int, in file: Core.File, _ core: Core
    ) -> Set<String> {
        let tokens = file.text.tokens
        let around = file.declarations.owners[index]
        var fitting: [(owner: String, file: String)]
        if tokens[index - 1].text != "." {
            fitting = candidates.filter { $0.owner.isEmpty || $0.owner == around }
        } else if isImplicit(tokens, dot: index - 1) {
            fitting = []
        } else {
            var receiver = index - 2
            while receiver > 0, ["?", "!"].contains(tokens[receiver].text) { receiver -= 1 }
            let name = receiver >= 0 ? tokens[receiver].text : ""
            if name == "self" {
                fitting = candidates.filter { $0.owner == around }
            } else if name.first?.isUppercase ?? false {
                fitting = candidates.filter { Core.last($0.owner) == name }
            } else if let types = core.typesOfNames[name] {
                fitting = candidates.filter { types.contains(Core.last($0.owner)) }
            } else {
                fitting = libraryNames.contains(tokens[index].text) ? [] : candidates
            }
        }
        return Set(fitting.map(\.file))
    }

    /// Nothing stands before the dot, as in `return .failed(1)`: a case of an enum, not a call.
    private static func isImplicit(_ tokens: [SourceText.Token], dot: Int) -> Bool {
        guard dot > 0 else { return true }
        let before = tokens[dot - 1]
        if ["(", "[", "{", ",", ":", "=", "return", "case", "in", "else", "try"].contains(before.text) {
            return true
        }
        // A chain of calls goes on in the next line.
        return !tokens[dot].isAdjacent && tokens[dot].line == before.line
    }

    /// Functions that collections of the library have too.
    private static let libraryNames: Set = [
        "append", "insert", "remove", "removeAll", "removeFirst", "removeLast", "removeValue",
        "popFirst", "popLast", "contains", "first", "last", "map", "flatMap", "compactMap", "filter",
        "reduce", "forEach", "sort", "sorted", "min", "max", "count", "index", "prefix", "suffix",
        "union", "formUnion", "subtract", "allSatisfy", "reserveCapacity", "hash", "next", "update",
        "starts", "split", "joined", "copy", "extracting",
    ]

    // MARK: Circles

    /// Files that call each other in a circle, each circle sorted; those without one are left out.
    var circles: [[String]] { components.filter { $0.count > 1 } }

    /// Strongly connected components, callees before their callers (Tarjan's algorithm).
    private var components: [[String]] {
        var search = Search()
        for file in files where search.numbers[file] == nil { visit(file, &search) }
        return search.components
    }

    private struct Search {
        var numbers: [String: Int] = [:]
        var lowest: [String: Int] = [:]
        var stack: [String] = []
        var components: [[String]] = []
    }

    private func visit(_ file: String, _ search: inout Search) {
        let number = search.numbers.count
        search.numbers[file] = number
        search.lowest[file] = number
        search.stack.append(file)
        for callee in (calls[file] ?? [:]).keys.sorted() {
            if search.numbers[callee] == nil {
                visit(callee, &search)
                search.lowest[file] = min(search.lowest[file] ?? 0, search.lowest[callee] ?? 0)
            } else if search.stack.contains(callee) {
                search.lowest[file] = min(search.lowest[file] ?? 0, search.numbers[callee] ?? 0)
            }
        }
        guard search.lowest[file] == number, let start = search.stack.firstIndex(of: file) else {
            return
        }
        search.components.append(search.stack[start...].sorted())
        search.stack.removeSubrange(start...)
    }

    // MARK: The picture

    /// Layers of files, from those that no other file calls down to those that call no other; each
    /// line calls only lines below it. A circle stands in brackets. The coordinator stands first.
    var picture: String {
        var heights: [String: Int] = [:]
        var lines: [Int: [String]] = [:]
        for component in components {
            let callees = component.flatMap { (calls[$0] ?? [:]).keys }.filter {
                !component.contains($0)
            }
            let height = (callees.compactMap { heights[$0] }.max() ?? -1) + 1
            for file in component { heights[file] = height }
            if component == [coordinator] { continue }
            let names = component.map { String($0.dropLast(".swift".count)) }
            lines[height, default: []].append(
                names.count == 1 ? names[0] : "(" + names.joined(separator: " ") + ")")
        }
        let layers = lines.keys.sorted(by: >).map {
            (lines[$0] ?? []).sorted().joined(separator: "  ")
        }
        let first = coordinator.map { [String($0.dropLast(".swift".count))] } ?? []
        return (first + layers).flatMap(Self.wrapped).joined(separator: "\n")
    }

    /// Lines of at most 100 columns; what continues one is indented.
    private static func wrapped(_ line: String) -> [String] {
        var result: [String] = [""]
        for word in line.split(separator: " ", omittingEmptySubsequences: false) {
            let last = result[result.count - 1]
            if last.isEmpty && word.isEmpty { continue }
            if last.count + 1 + word.count > 100 {
                result.append("    " + word)
            } else {
                result[result.count - 1] = last.isEmpty ? String(word) : last + " " + word
            }
        }
        return result.map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
