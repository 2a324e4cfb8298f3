// SPDX-License-Identifier: Apache-2.0

// For the oracles of Tests/Classifier: reads texts that end in a zero byte from standard input and
// prints what the classifier says of each, one line of tab-separated fields. The argument is a
// file with the rows of the catalogue queries, `kind<TAB>name`; without one there is no catalogue.
// `--measure` classifies each text many times instead and prints nanoseconds; `--repeat N` does it
// N times and prints nothing, for tools that count; `--catalogue-query` prints the query whose
// rows the file holds.

internal import Foundation
internal import ProxyCore
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

extension Duration {
    var nanoseconds: Int64 { components.attoseconds / 1_000_000_000 }
}

var arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--catalogue-query" {
    print(CatalogueQueries.snapshot)
    exit(0)
}
var repetitions: Int?
if arguments.first == "--repeat", arguments.count > 1 {
    repetitions = Int(arguments[1])
    arguments.removeFirst(2)
}
let isMeasuring = arguments.first == "--measure"
if isMeasuring { arguments.removeFirst() }
let catalogue = try arguments.first.map(readCatalogue)
let classifier = StatementClassifier()
let input = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
for text in input.split(separator: 0, omittingEmptySubsequences: false).dropLast() {
    let bytes = Array(text)
    if let repetitions {
        for _ in 0..<repetitions {
            _ = classifier.classify(bytes.span, catalogue: catalogue)
            _ = classifier.shapeHash(bytes.span)
        }
        continue
    }
    let result = classifier.classify(bytes.span, catalogue: catalogue)
    if isMeasuring {
        let rounds = 200
        var sink: UInt64 = 0
        var (classified, shape) = (Duration.seconds(1), Duration.seconds(1))
        // The least of some runs is the one that other work of the machine disturbed least.
        for _ in 0..<10 {
            let first = ContinuousClock().measure {
                for _ in 0..<rounds {
                    let result = classifier.classify(bytes.span, catalogue: catalogue)
                    sink &+= UInt64(result.statementCount)
                }
            }
            let second = ContinuousClock().measure {
                for _ in 0..<rounds { sink &+= classifier.shapeHash(bytes.span) }
            }
            (classified, shape) = (min(classified, first / rounds), min(shape, second / rounds))
        }
        let start = String(decoding: bytes.prefix(70), as: UTF8.self)
        print(
            "\(classified.nanoseconds) ns\tshape \(shape.nanoseconds) ns\t\(bytes.count) bytes",
            start, sink == 0 ? "" : " ", separator: "\t")
    } else {
        print(report(result))
    }
}
