// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

@testable import ProxyCore

/// What an error of a replica says: another server can, or every server says the same.
struct RefusalTests {
    @Test(arguments: [
        ("25006", .cannotOnStandby), ("55000", .cannotOnStandby),
        ("40001", .conflict), ("40P01", .conflict),
        ("42P01", .notThereYet), ("42883", .notThereYet), ("3F000", .notThereYet),
        // A role that was created a moment ago: "role does not exist" of SET ROLE.
        ("22023", .notThereYet),
        ("42601", .none), ("22012", .none), ("57014", .none),
    ] as [(SQLState, Refusal)])
    func `an error tells whether another server can do it`(state: SQLState, refusal: Refusal) {
        #expect(Refusal(ErrorResponse(.error, state, "refused"), of: Unit()) == refusal)
    }

    @Test func `a plan with other columns is an error of this server's plan`() {
        #expect(Refusal(.changedResult, of: Unit()) == .stalePlan)
    }
}
