// SPDX-License-Identifier: Apache-2.0

/// The reply to `GET /cluster` of any member; used to find members, never to judge them (its roles
/// and lags are up to `loop_wait` old).
package struct ClusterReport: Equatable, Sendable {
    package struct Member: Equatable, Sendable {
        package var name: String
        package var host: String
        package var port: UInt16
        /// Scheme, host and port of its REST interface, without a path.
        package var restURL: String
        package var tags: MemberTags

        package init(
            name: String, host: String, port: UInt16, restURL: String,
            tags: MemberTags = MemberTags()
        ) {
            self.name = name
            self.host = host
            self.port = port
            self.restURL = restURL
            self.tags = tags
        }
    }

    package var scope: String?
    /// Members whose addresses are known.
    package var members: [Member]

    package init(scope: String? = nil, members: [Member]) {
        self.scope = scope
        self.members = members
    }
}
