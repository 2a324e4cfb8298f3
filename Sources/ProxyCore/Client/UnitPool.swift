// SPDX-License-Identifier: Apache-2.0

/// Units of work of one shard that no session has at the moment.
///
/// Most clients are idle most of the time, and a unit is large; so a session has one only while
/// there is something in it, and the next to begin finds the arrays of the last with their room.
/// Confined to the shard that owns it.
@safe
package final class UnitPool {
    private var spare: [UnsafeMutablePointer<Unit>] = unsafe []
    private let limit: Int

    /// What the unit of a session that has none reads as. Never written, so any thread may read it.
    nonisolated(unsafe) static let none = unsafe make()

    /// More than so many are given back to the allocator.
    package init(limit: Int = 1024) {
        self.limit = limit
    }

    deinit { unsafe spare.forEach { unsafe Self.free($0) } }

    func take() -> UnsafeMutablePointer<Unit> {
        unsafe spare.popLast() ?? Self.make()
    }

    func give(_ unit: UnsafeMutablePointer<Unit>) {
        guard unsafe spare.count < limit && !unit.pointee.isLarge else {
            return unsafe Self.free(unit)
        }
        unsafe unit.pointee.reset()
        unsafe spare.append(unit)
    }

    private static func make() -> UnsafeMutablePointer<Unit> {
        let unit = UnsafeMutablePointer<Unit>.allocate(capacity: 1)
        unsafe unit.initialize(to: Unit())
        return unsafe unit
    }

    static func free(_ unit: UnsafeMutablePointer<Unit>) {
        unsafe unit.deinitialize(count: 1)
        unsafe unit.deallocate()
    }
}
