// SPDX-License-Identifier: Apache-2.0

// For the oracles of Tests/Classifier: reads texts that end in a zero byte from standard input and
// prints what the classifier says of each, one line of tab-separated fields. The argument is a
// file with the rows of the catalogue queries, `kind<TAB>name`; without one there is no catalogue.
// `--measure` classifies each text many times instead and prints nanoseconds.

internal import Foundation
internal import StatementClassifier

func readCatalogue(_ path: String) throws -> Catalogue {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let rows = text.split(separator: "\n").compactMap { line -> (kind: String, name: String)? in
        let fields = line.split(separator: "\t", maxSplits: 1)
        return fields.count == 2 ? (String(fields[0]), String(fields[1])) : nil
    }
    return Catalogue(rows: rows)
}

func report(_ result: Classification) -> String {
    let fields = [
        result.destination.rawValue, result.reason.rawValue,
        result.effects.list.joined(separator: ","), String(result.statementCount),
        result.containsTransactionControl ? "transaction" : "",
        result.changesSchema ? "schema" : "", result.hint?.rawValue ?? "",
        "\(result.control)".replacingOccurrences(of: "StatementClassifier.", with: ""),
        "\(result.command)".replacingOccurrences(of: "StatementClassifier.", with: ""),
    ]
    return fields.joined(separator: "\t")
}

var arguments = Array(CommandLine.arguments.dropFirst())
let isMeasuring = arguments.first == "--measure"
if isMeasuring { arguments.removeFirst() }
let catalogue = try arguments.first.map(readCatalogue)
let classifier = StatementClassifier()
let input = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
for text in input.split(separator: 0, omittingEmptySubsequences: false).dropLast() {
    let bytes = Array(text)
    let result = classifier.classify(bytes.span, catalogue: catalogue)
    if isMeasuring {
        let rounds = 200_000
        var primary = 0
        let time = ContinuousClock().measure {
            for _ in 0..<rounds {
                let result = classifier.classify(bytes.span, catalogue: catalogue)
                primary += result.destination == .primary ? 1 : 0
            }
        }
        let shape = ContinuousClock().measure {
            for _ in 0..<rounds {
                primary &+= Int(truncatingIfNeeded: classifier.shapeHash(bytes.span) & 1)
            }
        }
        print(
            "\(time / rounds)\t\(shape / rounds) shape\t\(bytes.count) bytes\t\(primary & 1)",
            String(decoding: bytes.prefix(70), as: UTF8.self), separator: "\t")
    } else {
        print(report(result))
    }
}
