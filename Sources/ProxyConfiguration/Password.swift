// SPDX-License-Identifier: Apache-2.0

/// A password that does not show itself when its owner is printed or dumped.
package struct Password: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { "********" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
