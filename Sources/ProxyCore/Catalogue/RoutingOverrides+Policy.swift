// SPDX-License-Identifier: Apache-2.0

package import StatementClassifier

extension RoutingOverrides {
    /// The overrides of a configuration.
    package convenience init(_ routing: RoutingPolicy) {
        self.init(
            readFunctions: routing.readFunctions, writeFunctions: routing.writeFunctions,
            primaryRelations: routing.primaryRelations)
    }
}

extension RoutingPolicy {
    /// Whether both say the same about names.
    func hasSameOverrides(as other: RoutingPolicy) -> Bool {
        readFunctions == other.readFunctions && writeFunctions == other.writeFunctions
            && primaryRelations == other.primaryRelations
    }
}
