// SPDX-License-Identifier: Apache-2.0

/// The names that Kubernetes allows for objects.
package enum KubernetesName {
    /// A DNS label (RFC 1123): what a namespace is called.
    package static func isLabel(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 63 else { return false }
        func isEdge(_ byte: UInt8) -> Bool { 97...122 ~= byte || 48...57 ~= byte }
        return isEdge(first) && isEdge(last)
            && bytes.allSatisfy { isEdge($0) || $0 == UInt8(ascii: "-") }
    }

    /// DNS labels with dots between them: what pods and ConfigMaps are called.
    package static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false)
                .allSatisfy { isLabel(String($0)) }
    }
}
