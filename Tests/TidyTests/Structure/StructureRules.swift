// SPDX-License-Identifier: Apache-2.0

/// Rules for the machines of the core: who may touch their state, and how much of it one type has.
enum StructureRules {
    static let mostProperties = 20
    static let mostBooleans = 3

    /// The folders of the core in which machines live.
    static let machineFolders = [
        "Client", "Server", "Pooler", "Session", "Replication", "Cancel", "Catalogue",
        "Secrets",
    ].map { "Sources/ProxyCore/" + $0 }

    /// The one file of a folder whose functions all others may call.
    static let coordinators = ["Sources/ProxyCore/Pooler": "Pooler+Units.swift"]

    private static func isMachine(_ kind: Declarations.Kind) -> Bool {
        ["class", "struct", "actor"].contains(kind.keyword)
            && kind.isVisible && StructureExceptions.values[kind.name] == nil
    }

    private static func machines(
        of core: Core
    ) -> [(file: Core.File, type: Declarations.Kind)] {
        core.files.filter { machineFolders.contains($0.folder) }.flatMap { file in
            file.declarations.types.filter(isMachine).map { (file, $0) }
        }
    }

    /// Stored properties that other files can assign. One that is a machine itself may be seen by
    /// others, who call its verbs, as long as only its owner's file assigns it.
    static func openFields(_ core: Core) -> [Finding] {
        let machines = machines(of: core)
        let names = Set(machines.map { Core.last($0.type.name) })
            .union(StructureExceptions.machinesElsewhere.keys)
        let written = Set(core.writes.map(\.field))
        return machines.flatMap { file, type in
            type.properties.compactMap { property in
                let isMachine = names.contains(Core.last(property.type))
                let field = "\(type.name).\(property.name)"
                guard !property.isOwned, !isMachine || written.contains(field) else { return nil }
                return Finding(
                    path: file.path, line: property.line,
                    message: isMachine
                        ? "'\(field)' is assigned in another file; give its owner a verb for that"
                        : "'\(field)' can be assigned by every file; make it private or private(set)")
            }
        }
    }

    /// Types with too much state for one.
    static func largeTypes(_ core: Core) -> [Finding] {
        core.files.flatMap { file in
            file.declarations.types.compactMap { type in
                let count = type.properties.count
                guard count > mostProperties, StructureExceptions.wide[type.name] == nil else {
                    return nil
                }
                return Finding(
                    path: file.path, line: type.line,
                    message: "'\(type.name)' has \(count) stored properties; a type has at most "
                        + "\(mostProperties): it is several machines")
            }
        }
    }

    /// Machines whose state is spread over Booleans, or over an option set that stands in for them.
    static func booleanStates(_ core: Core) -> [Finding] {
        let inFolders = core.files.filter { machineFolders.contains($0.folder) }
        return inFolders.flatMap { file in
            file.declarations.types.compactMap { type in
                guard StructureExceptions.booleans[type.name] == nil else { return nil }
                if type.inherited.contains("OptionSet") {
                    return Finding(
                        path: file.path, line: type.line,
                        message: "the option set '\(type.name)' stands in for Booleans; make an enum "
                            + "of it, or say why not in StructureExceptions.booleans")
                }
                let count = type.properties.count(where: \.isBoolean)
                guard count > mostBooleans else { return nil }
                return Finding(
                    path: file.path, line: type.line,
                    message: "'\(type.name)' has \(count) Booleans, at most \(mostBooleans); its "
                        + "state is an enum")
            }
        }
    }

    /// Files that call each other in a circle, one finding for each file.
    static func circles(_ core: Core) -> [Finding] {
        let folders = Set(core.files.map(\.folder)).filter { $0.hasPrefix("Sources/ProxyCore/") }
        return folders.sorted().flatMap { folder in
            let graph = graph(folder, core)
            return graph.circles.flatMap { circle in
                circle.map { file in
                    let calls = (graph.calls[file] ?? [:]).filter { circle.contains($0.key) }
                    let list = calls.sorted { $0.key < $1.key }.map {
                        "\($0.key) (\($0.value.sorted().joined(separator: ", ")))"
                    }
                    return Finding(
                        path: folder + "/" + file, line: 1,
                        message: "is in a circle, because it calls \(list.joined(separator: ", ")); "
                            + "let one return what the other does next")
                }
            }
        }
    }

    static func graph(_ folder: String, _ core: Core) -> CallGraph {
        CallGraph(folder: folder, of: core, coordinator: coordinators[folder])
    }

    // MARK: The pictures in the manuals

    /// Folders for which a text shows a picture, with the picture: the block of code that follows a
    /// line `<!-- layers: FOLDER -->`.
    static func pictures(in text: String) -> [(folder: String, line: Int, picture: String)] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.compactMap { index in
            guard lines[index].hasPrefix("<!-- layers: "), lines[index].hasSuffix(" -->") else {
                return nil
            }
            let folder = lines[index].dropFirst("<!-- layers: ".count).dropLast(" -->".count)
            let block = lines[(index + 1)...].drop { $0.isEmpty }
            guard block.first?.hasPrefix("```") ?? false else { return (String(folder), index + 1, "") }
            let picture = block.dropFirst().prefix { !$0.hasPrefix("```") }
            return (String(folder), index + 1, picture.joined(separator: "\n"))
        }
    }
}
