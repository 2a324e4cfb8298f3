// SPDX-License-Identifier: Apache-2.0

import Foundation

/// How many walls the core has, in numbers, of any checkout of the repository.
enum Figures {
    static func text(of root: String) -> String {
        let folder = root + "/Sources/ProxyCore"
        let paths = (FileManager.default.enumerator(atPath: folder)?.allObjects ?? [])
            .compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted()
        let files = paths.compactMap { path in
            FileManager.default.contents(atPath: folder + "/" + path).map {
                SwiftFile(
                    path: "Sources/ProxyCore/" + path, String(decoding: $0, as: UTF8.self))
            }
        }
        return text(of: Core(files))
    }

    static func text(of core: Core) -> String {
        let machines = core.files.filter { StructureRules.machineFolders.contains($0.folder) }
        let properties = machines.flatMap { file in
            file.declarations.types.filter { StructureExceptions.values[$0.name] == nil }
                .flatMap(\.properties)
        }
        let writes = core.writes.filter { write in
            machines.contains { file in
                file.declarations.types.contains { write.field.hasPrefix($0.name + ".") }
            }
        }
        let folders = Set(core.files.map(\.folder)).sorted()
        let graphs = folders.map { ($0, StructureRules.graph($0, core)) }
        let circles = graphs.flatMap { folder, graph in graph.circles.map { (folder, $0) } }
        var lines = [
            "stored fields of machines: \(properties.count)",
            "  seen outside their file: \(properties.count(where: \.isVisible))",
            "  open to be assigned outside their file: \(properties.count { !$0.isOwned })",
            "  assigned outside their file: \(Set(writes.map(\.field)).count)",
            "  Booleans: \(properties.count(where: \.isBoolean))",
            "writers (files that assign a field of another file's type): "
                + "\(Set(writes.map(\.file)).count) files, \(writes.count) pairs of file and field",
            "circles: \(circles.count), of \(circles.map(\.1.count).reduce(0, +)) files",
        ]
        lines += circles.map { "  \($0): \($1.joined(separator: ", "))" }
        lines += ["", "most widely written:"]
        let byField = Dictionary(grouping: writes, by: \.field)
        lines += byField.filter { $0.value.count > 2 }.sorted {
            ($1.value.count, $0.key) < ($0.value.count, $1.key)
        }.prefix(20).map { "  \($0.key) in \($0.value.count) other files" }
        lines += ["", "largest types:"]
        let types = core.files.flatMap(\.declarations.types).sorted {
            $0.properties.count > $1.properties.count
        }
        lines += types.prefix(8).map {
            "  \($0.name): \($0.properties.count), of which \($0.properties.count(where: \.isBoolean))"
                + " are Booleans"
        }
        for (folder, graph) in graphs where StructureRules.machineFolders.contains(folder) {
            lines += ["", "<!-- layers: \(folder) -->", "", "```", graph.picture, "```"]
        }
        lines += table("openFields", StructureRules.openFields(core))
        lines += table("largeTypes", StructureRules.largeTypes(core))
        lines += table("booleanStates", StructureRules.booleanStates(core))
        lines += table("circles", StructureRules.circles(core))
        return lines.joined(separator: "\n")
    }

    /// A table of StructureExceptions as it would have to be.
    private static func table(_ name: String, _ findings: [Finding]) -> [String] {
        let counts = Dictionary(grouping: findings, by: \.path).mapValues(\.count)
        let rows = counts.sorted { $0.key < $1.key }.map { "        \"\($0.key)\": \($0.value)," }
        return rows.isEmpty
            ? ["", "    static let \(name): [String: Int] = [:]"]
            : ["", "    static let \(name): [String: Int] = ["] + rows + ["    ]"]
    }
}
