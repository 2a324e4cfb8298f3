// SPDX-License-Identifier: Apache-2.0

/// One integer for each case of a label; no heap, and an increment is one addition.
package struct Tally<Label: MetricLabel>: Sendable {
    private var values = InlineArray<16, Int>(repeating: 0)

    package init() {
        precondition(Label.allCases.count <= values.count, "a label has at most 16 values")
    }

    /// The count of one label.
    package subscript(label: Label) -> Int {
        get { values[label.rawValue] }
        set { values[label.rawValue] = newValue }
    }

    /// Adds one; a counter that has run for centuries wraps instead of trapping.
    package mutating func count(_ label: Label, _ amount: Int = 1) {
        values[label.rawValue] &+= amount
    }

    /// Adds another tally, label by label.
    package mutating func add(_ other: Tally) {
        for index in values.indices { values[index] &+= other.values[index] }
    }

    /// The sum over all labels.
    package var total: Int {
        var sum = 0
        for index in values.indices { sum &+= values[index] }
        return sum
    }
}

extension Tally: Equatable {
    package static func == (a: Tally, b: Tally) -> Bool {
        a.values.indices.allSatisfy { a.values[$0] == b.values[$0] }
    }
}
