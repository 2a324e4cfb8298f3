// SPDX-License-Identifier: Apache-2.0

internal import Yams

extension RawValue {
    /// Nesting beyond this is a mistake.
    private static let maximumDepth = 16
    /// Aliases of aliases make much of a short text; no configuration holds so many values.
    private static let maximumCount = 100_000

    /// The content of a configuration file; an empty file is an empty group.
    static func file(_ text: String, name: String, problems: inout Problems) -> RawValue? {
        parse(text, path: "", problems: &problems) { mark in
            .file(name, line: mark?.line ?? 0, column: mark?.column ?? 0)
        }
    }

    /// YAML inside a variable or flag; every error points at that.
    static func yaml(
        _ text: String, origin: Origin, path: String, problems: inout Problems
    ) -> RawValue? {
        parse(text, path: path, problems: &problems) { _ in origin }
    }

    private static func parse(
        _ text: String, path: String, problems: inout Problems, place: (Mark?) -> Origin
    ) -> RawValue? {
        do {
            guard let root = try compose(yaml: text) else { return .map([], place(nil)) }
            var count = 0
            guard let value = convert(root, depth: 0, count: &count, place: place) else {
                problems.report(place(root.mark), path, "is nested too deeply, or too large")
                return nil
            }
            return value
        } catch let error as YamlError {
            let (mark, message) = explain(error)
            problems.report(
                place(mark), path, message, suggestion: mark.flatMap { remedy(at: $0, in: text) })
        } catch {
            problems.report(place(nil), path, "cannot be read as YAML")
        }
        return nil
    }

    private static func convert(
        _ node: Node, depth: Int, count: inout Int, place: (Mark?) -> Origin
    ) -> RawValue? {
        count += 1
        guard depth < maximumDepth, count <= maximumCount else { return nil }
        let origin = place(node.mark)
        switch node {
        case .scalar(let scalar):
            return .scalar(scalar.string, isPlain: scalar.style == .plain, origin)
        case .sequence(let sequence):
            var items: [RawValue] = []
            for node in sequence {
                let item = convert(node, depth: depth + 1, count: &count, place: place)
                guard let item else { return nil }
                items.append(item)
            }
            return .list(items, origin)
        case .mapping(let mapping):
            var entries: [Entry] = []
            for (key, node) in mapping {
                let value = convert(node, depth: depth + 1, count: &count, place: place)
                guard let value else { return nil }
                let name = key.scalar?.string ?? "(not a name)"
                entries.append(Entry(key: name, keyOrigin: place(key.mark), value: value))
            }
            return .map(entries, origin)
        case .alias:
            return nil
        }
    }

    /// The parser's words and place. Its own description quotes the file, which may hold a
    /// password in just that line, so only the bare problem is passed on.
    private static func explain(_ error: YamlError) -> (Mark?, String) {
        switch error {
        case .composer(_, let problem, let mark, _) where problem.contains("another document"):
            (mark, "a second document begins; a configuration is one")
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark, "is not YAML: \(problem)")
        case .reader(let problem, _, _, _):
            (nil, "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark, "set twice: \(duplicates.joined(separator: ", "))")
        default:
            (nil, "is not YAML: the text cannot be parsed")
        }
    }

    /// What is probably meant, by the character that the parser stumbled over.
    private static func remedy(at mark: Mark, in text: String) -> String? {
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard lines.indices.contains(mark.line - 1) else { return nil }
        let line = lines[mark.line - 1]
        switch line.dropFirst(mark.column - 1).first {
        case "\t": return "indent with spaces, YAML allows no tabs"
        case "@", "`", "%": return "a text that begins like this must be in quotes"
        default: return nil
        }
    }
}
