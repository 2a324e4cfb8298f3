// SPDX-License-Identifier: Apache-2.0

/// A password that does not show itself when its owner is printed or dumped.
package struct Password: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    /// The password itself; take care where it goes.
    package let text: String

    /// Takes the password as it is.
    package init(_ text: String) { self.text = text }

    /// A mask of fixed length, which does not even tell that.
    package var description: String { "********" }
    /// Nothing, so that `dump` shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
