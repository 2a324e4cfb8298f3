// SPDX-License-Identifier: Apache-2.0

// Plays one trace of the hot path many times through a real `Pooler`, for tools that count what it
// takes (`benchmarks/hotpath`): `hotpath TRACE TRANSACTIONS`.

internal import Foundation

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count == 2, let name = arguments.first, let trace = Trace(rawValue: name),
    let count = arguments.last.flatMap({ Int($0) }), count > 0
else {
    let names = Trace.allCases.map(\.rawValue).joined(separator: "|")
    FileHandle.standardError.write(Data("usage: hotpath \(names) TRANSACTIONS\n".utf8))
    exit(64)
}
let stage = Stage(trace)
stage.warmUp()
let answered = stage.play(count)
guard answered == count else {
    FileHandle.standardError.write(
        Data("only \(answered) of \(count) transactions were answered in full\n".utf8))
    exit(1)
}
