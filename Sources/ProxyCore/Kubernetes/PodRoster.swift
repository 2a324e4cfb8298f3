// SPDX-License-Identifier: Apache-2.0

/// The fields of a pod that martlet uses.
package struct PodObject: Equatable, Sendable {
    /// Patroni's name of the member, too.
    package var name: String
    /// Another pod of the same name has another one.
    package var uid: String
    /// Whether the pod has a deletion timestamp.
    package var isTerminating: Bool
    /// The pod's IP address, once it has one.
    package var address: String?
    /// The URL by which Patroni says in the pod's annotations that its server is reached.
    package var memberURL: String?
    /// Patroni's label `role`: `primary`, `replica`, or a word of an older version.
    package var role: String?

    package init(
        name: String, uid: String, isTerminating: Bool = false, address: String? = nil,
        memberURL: String? = nil, role: String? = nil
    ) {
        self.name = name
        self.uid = uid
        self.isTerminating = isTerminating
        self.address = address
        self.memberURL = memberURL
        self.role = role
    }
}

/// A reason to probe or to drain, from Kubernetes. It never decides a role by itself.
package enum ClusterHint: Equatable, Sendable {
    /// Whether a member is terminating and gets no new reads, or no longer is.
    case draining(name: String, Bool)
    /// Members came, left or moved: ask Patroni for them now.
    case membersChanged
    /// The primary may have changed: probe every member now.
    case primaryMayChange
}

/// The members' pods as last reported, and the meaning of their changes.
///
/// That a pod is to end stays true of its name after the pod is gone, until there is another one of
/// that name: the server may still answer for a moment, and must get nothing new in it.
package struct PodRoster: Sendable {
    /// Pods at a time; more than Patroni's members can be.
    package static let limit = 1024

    private var pods: [PodObject] = []
    /// Members reported as draining, the oldest first.
    private var draining: [String] = []
    /// The pages of a list that is not complete yet.
    private var listed: [PodObject]?

    package init() {}

    package var count: Int { pods.count }

    /// A page of a new list; with the last one it takes the place of all that was known.
    package mutating func listed(
        _ page: [PodObject], isFirst: Bool, isLast: Bool
    ) -> [ClusterHint] {
        let room = max(Self.limit - (isFirst ? 0 : listed?.count ?? 0), 0)
        listed = (isFirst ? [] : listed ?? []) + page.prefix(room)
        guard isLast, let all = listed else { return [] }
        listed = nil
        var hints: [ClusterHint] = []
        let before = pods
        pods = all
        for pod in all { hints += judge(pod, before: before.first { $0.name == pod.name }) }
        let isGone = before.contains { old in !all.contains { $0.name == old.name } }
        if isGone { hints.append(.membersChanged) }
        return Self.distinct(hints)
    }

    /// A pod was added, or is not what it was.
    package mutating func changed(_ pod: PodObject) -> [ClusterHint] {
        let place = pods.firstIndex { $0.name == pod.name }
        let before = place.map { pods[$0] }
        if let place { pods[place] = pod } else if pods.count < Self.limit { pods.append(pod) }
        return Self.distinct(judge(pod, before: before))
    }

    /// A pod is gone.
    package mutating func deleted(_ pod: PodObject) -> [ClusterHint] {
        // Where the next one of the name came first, that one stays.
        guard let place = pods.firstIndex(where: { $0.name == pod.name && $0.uid == pod.uid })
        else { return [] }
        pods.remove(at: place)
        return [tell(pod.name, true), .membersChanged].compactMap(\.self)
    }

    // MARK: -

    private mutating func judge(_ pod: PodObject, before: PodObject?) -> [ClusterHint] {
        var hints = [tell(pod.name, pod.isTerminating)].compactMap(\.self)
        let isSame = before?.uid == pod.uid
        if !isSame || before?.address != pod.address || before?.memberURL != pod.memberURL {
            hints.append(.membersChanged)
        }
        // The label follows Patroni's decision; the first label of a new pod is not a change.
        if isSame, before?.role != pod.role, before?.role != nil || pod.role != "replica" {
            hints.append(.primaryMayChange)
        }
        return hints
    }

    /// The hint, unless that is what was said last.
    private mutating func tell(_ name: String, _ isDraining: Bool) -> ClusterHint? {
        let place = draining.firstIndex(of: name)
        guard isDraining != (place != nil) else { return nil }
        if let place {
            draining.remove(at: place)
        } else {
            if draining.count >= Self.limit { forgetOldest() }
            draining.append(name)
        }
        return .draining(name: name, isDraining)
    }

    /// A name without a pod makes room first.
    private mutating func forgetOldest() {
        let place = draining.firstIndex { name in !pods.contains { $0.name == name } }
        draining.remove(at: place ?? 0)
    }

    private static func distinct(_ hints: [ClusterHint]) -> [ClusterHint] {
        var found: [ClusterHint] = []
        for hint in hints where !found.contains(hint) { found.append(hint) }
        return found
    }
}
