// SPDX-License-Identifier: Apache-2.0

/// Spare storage for byte queues of one shard, so that a queue that fills and drains allocates nothing.
///
/// Only blocks of the standard size are kept, and at most `limit` of them; larger ones go back to
/// the allocator at once. Confined to the shard that owns it.
@safe
package final class BytePool {
    package static let blockSize = 16 << 10

    private var spare: [UnsafeMutableRawPointer] = unsafe []
    private let limit: Int

    package init(limit: Int = 256) {
        self.limit = limit
        unsafe spare.reserveCapacity(limit)
    }

    deinit { unsafe spare.forEach { unsafe $0.deallocate() } }

    fileprivate func take(atLeast size: Int) -> UnsafeMutableRawBufferPointer {
        if size <= Self.blockSize, let block = unsafe spare.popLast() {
            return unsafe UnsafeMutableRawBufferPointer(start: block, count: Self.blockSize)
        }
        return .allocate(byteCount: max(size, Self.blockSize), alignment: 16)
    }

    fileprivate func give(_ block: UnsafeMutableRawBufferPointer) {
        if unsafe block.count == Self.blockSize && spare.count < limit {
            unsafe spare.append(block.baseAddress!)
        } else {
            unsafe block.deallocate()
        }
    }
}

/// A queue of bytes: appended at the end, consumed from the front.
///
/// Linear, not a ring, so that the unread bytes are always one span (a frame must be contiguous to
/// be parsed, and a send wants one address). An empty queue owns no storage.
@safe
package struct ByteQueue: ~Copyable {
    private var storage: UnsafeMutableRawBufferPointer = unsafe .init(start: nil, count: 0)
    private var head = 0
    private var tail = 0
    private let pool: BytePool

    package init(pool: BytePool) { self.pool = pool }

    deinit { if unsafe storage.baseAddress != nil { unsafe pool.give(storage) } }

    package var count: Int { tail - head }
    package var isEmpty: Bool { tail == head }

    /// The bytes that wait; valid until the queue is changed.
    package var unread: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            let span = unsafe RawSpan(
                _unsafeBytes: UnsafeRawBufferPointer(rebasing: storage[head..<tail]))
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    package mutating func append(_ bytes: RawSpan) {
        let count = bytes.byteCount
        guard count > 0 else { return }
        reserve(count)
        let end = unsafe storage.baseAddress! + tail
        unsafe bytes.withUnsafeBytes { source in
            unsafe end.copyMemory(from: source.baseAddress!, byteCount: count)
        }
        tail += count
    }

    package mutating func append(_ bytes: [UInt8]) {
        append(bytes.rawSpan)
    }

    package mutating func append(byte: UInt8) {
        reserve(1)
        unsafe storage[tail] = byte
        tail += 1
    }

    package mutating func append(int16 value: Int16) { append(bigEndian: value) }
    package mutating func append(int32 value: Int32) { append(bigEndian: value) }

    private mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        reserve(MemoryLayout<T>.size)
        unsafe storage.storeBytes(of: value.bigEndian, toByteOffset: tail, as: T.self)
        tail += MemoryLayout<T>.size
    }

    /// Overwrites four bytes that wait, `offset` from the first.
    package mutating func set(int32 value: Int32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count)
        unsafe storage.storeBytes(of: value.bigEndian, toByteOffset: head + offset, as: Int32.self)
    }

    /// Forgets the first `count` bytes.
    package mutating func consume(_ count: Int) {
        precondition(count <= self.count)
        head += count
        if head == tail { removeAll() }
    }

    /// Forgets everything after the first `count` bytes.
    package mutating func truncate(to count: Int) {
        precondition(count <= self.count)
        tail = head + count
        if head == tail { removeAll() }
    }

    package mutating func removeAll() {
        if unsafe storage.baseAddress != nil { unsafe pool.give(storage) }
        unsafe storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        head = 0
        tail = 0
    }

    /// Makes room for `count` more bytes: at the end, by moving down, or by moving house.
    private mutating func reserve(_ count: Int) {
        if unsafe tail + count <= storage.count { return }
        let waiting = tail - head
        if unsafe waiting + count <= storage.count / 2 {
            unsafe storage.baseAddress!.copyMemory(
                from: storage.baseAddress! + head, byteCount: waiting)
        } else {
            let larger = unsafe pool.take(atLeast: max(waiting + count, waiting * 2))
            if unsafe storage.baseAddress != nil {
                if waiting > 0 {
                    unsafe larger.baseAddress!.copyMemory(
                        from: storage.baseAddress! + head, byteCount: waiting)
                }
                unsafe pool.give(storage)
            }
            unsafe storage = larger
        }
        head = 0
        tail = waiting
    }
}
