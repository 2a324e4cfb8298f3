// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

/// Bytes that differ from those of other places and of other seeds.
private func pattern(_ count: Int, _ seed: Int = 0) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 + seed) &* 31 ^ ($0 >> 8)) }
}

/// Where the first of the waiting bytes is.
private func address(_ queue: borrowing ByteQueue) -> UInt {
    unsafe queue.unread.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
}

private let block = BytePool.blockSize

struct ByteQueueTests {
    @Test func `a new queue is empty and has no storage`() {
        let queue = ByteQueue(pool: BytePool())
        #expect(queue.isEmpty && queue.count == 0)
        #expect(contents(queue).isEmpty && address(queue) == 0)
    }

    @Test func `bytes come out in the order in which they went in`() {
        var queue = ByteQueue(pool: BytePool())
        queue.append([1, 2, 3])
        queue.append([])
        queue.append([4, 5].rawSpan)
        #expect(contents(queue) == [1, 2, 3, 4, 5])
        queue.consume(2)
        queue.append([6])
        #expect(contents(queue) == [3, 4, 5, 6] && queue.count == 4)
    }

    @Test func `numbers are written with their highest byte first`() {
        #expect(written { $0.append(byte: 0xfe) } == [0xfe])
        #expect(written { $0.append(int16: 0x0102) } == [1, 2])
        #expect(written { $0.append(int16: -2) } == [0xff, 0xfe])
        #expect(written { $0.append(int32: 0x0102_0304) } == [1, 2, 3, 4])
        #expect(written { $0.append(int32: .min) } == [0x80, 0, 0, 0])
        // At addresses that are no multiple of four, too.
        let odd = written {
            $0.append(byte: 9)
            $0.append(int32: 0x0102_0304)
        }
        #expect(odd == [9, 1, 2, 3, 4])
    }

    @Test func `a number is overwritten where it waits, and not where it was written`() {
        var queue = ByteQueue(pool: BytePool())
        queue.append([1, 2, 3, 4, 5, 6, 7, 8])
        queue.consume(2)
        queue.set(int32: 0x0a0b_0c0d, at: 1)
        #expect(contents(queue) == [3, 10, 11, 12, 13, 8])
        queue.set(int32: 0, at: 2)
        #expect(contents(queue) == [3, 10, 0, 0, 0, 0])
    }

    /// The first bytes, how many of them are consumed, and the bytes that come then: with room at
    /// the end, to the last byte of a block, moved down, and into larger storage.
    @Test(arguments: [
        (10, 0, 10), (10, 10, 10), (block - 1, 0, 1), (block, 0, 0), (block, 0, 1),
        (block, block - 1, 1), (block, block - 1, block / 2 - 1), (block, block - 1, block / 2),
        (block, block / 2, block / 2), (block, 1, 1), (block, 1, 5 * block), (1, 0, 5 * block),
        (5 * block, 5 * block - 1, block), (5 * block, 5 * block, 1), (3 * block, 2 * block, block),
    ])
    func `what waits stays as it was when more comes`(first: Int, consumed: Int, second: Int) {
        var queue = ByteQueue(pool: BytePool())
        queue.append(pattern(first))
        queue.consume(consumed)
        queue.append(pattern(second, 7))
        #expect(contents(queue) == Array(pattern(first)[consumed...]) + pattern(second, 7))
    }

    @Test func `what waits is moved down where that makes room, and not for little`() {
        var queue = ByteQueue(pool: BytePool())
        queue.append(pattern(block))
        let start = address(queue)
        queue.consume(block - 100)
        #expect(address(queue) == start + UInt(block - 100))
        queue.append([1])
        #expect(address(queue) == start)
        queue.append(pattern(block - 101))
        queue.consume(100)
        // More than half would have to be moved.
        queue.append([2])
        let isFar = address(queue) < start || address(queue) >= start + UInt(block)
        #expect(isFar && contents(queue) == [1] + pattern(block - 101) + [2])
    }

    @Test func `storage doubles, so that byte after byte is copied a few times only`() {
        var queue = ByteQueue(pool: BytePool())
        var moves = -1
        var last: UInt = 0
        for index in 0..<16 * block {
            queue.append(byte: UInt8(truncatingIfNeeded: index))
            if address(queue) != last { moves += 1 }
            last = address(queue)
        }
        #expect(moves <= 4)
        #expect(contents(queue) == (0..<16 * block).map { UInt8(truncatingIfNeeded: $0) })
    }

    @Test func `a queue that was emptied, however it was, has no storage`() {
        for empty in [
            { (queue: inout ByteQueue) in queue.consume(5) },
            { (queue: inout ByteQueue) in queue.truncate(to: 0) },
            { (queue: inout ByteQueue) in queue.removeAll() },
        ] {
            var queue = ByteQueue(pool: BytePool())
            queue.append(pattern(5))
            empty(&queue)
            #expect(queue.isEmpty && address(queue) == 0)
            queue.append([1, 2])
            #expect(contents(queue) == [1, 2])
        }
        var queue = ByteQueue(pool: BytePool())
        queue.removeAll()
        queue.consume(0)
        queue.truncate(to: 0)
        #expect(contents(queue) == [] && queue.isEmpty)
    }

    @Test func `what is cut off at the end is gone, and what waits before it stays`() {
        var queue = ByteQueue(pool: BytePool())
        queue.append([1, 2, 3, 4, 5])
        queue.consume(1)
        queue.truncate(to: 3)
        #expect(contents(queue) == [2, 3, 4])
        queue.append([9])
        queue.truncate(to: 4)
        #expect(contents(queue) == [2, 3, 4, 9])
    }
}

struct BytePoolTests {
    /// Fills this many queues at once, empties them in an order, and says where each was.
    private func fill(_ pool: BytePool, _ count: Int, emptying order: [Int] = []) -> [UInt] {
        let boxes = (0..<count).map { _ in Box(ByteQueue(pool: pool)) }
        boxes.forEach { $0.queue.append([1]) }
        let addresses = boxes.map { address($0.queue) }
        order.forEach { boxes[$0].queue.removeAll() }
        return addresses
    }

    private final class Box {
        var queue: ByteQueue

        init(_ queue: consuming ByteQueue) { self.queue = queue }
    }

    @Test func `the block that was given back last is the next to be taken`() {
        let pool = BytePool()
        let order = [3, 0, 7, 5, 1, 6, 2, 4]
        let first = fill(pool, 8, emptying: order)
        #expect(Set(first).count == 8)
        let again = fill(pool, 8, emptying: Array(0..<8))
        #expect(again == order.reversed().map { first[$0] })
    }

    @Test func `a queue that ends gives its block back`() {
        let pool = BytePool()
        let first = fill(pool, 1)
        #expect(fill(pool, 1) == first)
    }

    @Test func `no two queues share a block, whatever was given back`() {
        let pool = BytePool(limit: 3)
        for round in 0..<20 {
            let all = fill(pool, 6, emptying: Array(0..<6).shuffled())
            #expect(Set(all).count == 6, "round \(round)")
            let gaps = zip(all.sorted(), all.sorted().dropFirst()).map { $1 - $0 }
            #expect(gaps.allSatisfy { $0 >= UInt(block) })
        }
    }

    @Test func `the bytes of one owner are not those of the next`() {
        let pool = BytePool()
        var first = ByteQueue(pool: pool)
        first.append([UInt8](repeating: 0xee, count: 100))
        first.consume(100)
        var second = ByteQueue(pool: pool)
        second.append([1])
        first.append([2, 3])
        #expect(contents(second) == [1] && contents(first) == [2, 3])
    }
}

struct ByteQueueProperties {
    private let sizes = [
        0, 1, 2, 7, 100, 1_000, block / 2 - 1, block / 2, block / 2 + 1, block - 1, block,
        block + 1, 3 * block,
    ]

    private func step(
        _ queue: inout ByteQueue, _ model: inout [UInt8], _ random: inout SeededGenerator
    ) {
        let part = Int.random(in: 0...model.count, using: &random)
        let small = Int.random(in: 0...min(9, model.count), using: &random)
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<4:
            let more = pattern(
                sizes.randomElement(using: &random) ?? 0, Int.random(in: 0..<999, using: &random))
            queue.append(more)
            model += more
        case 4:
            queue.append(byte: 0xab)
            model.append(0xab)
        case 5:
            queue.append(int16: 0x1234)
            model += [0x12, 0x34]
        case 6:
            queue.append(int32: -2)
            model += [0xff, 0xff, 0xff, 0xfe]
        case 7 where model.count >= 4:
            let offset = Int.random(in: 0...model.count - 4, using: &random)
            queue.set(int32: 0x0102_0304, at: offset)
            model.replaceSubrange(offset..<offset + 4, with: [1, 2, 3, 4])
        case 8..<11:
            queue.consume(part)
            model.removeFirst(part)
        case 11:
            queue.consume(small)
            model.removeFirst(small)
        case 12:
            // All but a little, so that what waits is moved down and not into larger storage.
            queue.consume(model.count - small)
            model.removeFirst(model.count - small)
        case 13:
            queue.truncate(to: part)
            model.removeLast(model.count - part)
        case 14 where Int.random(in: 0..<4, using: &random) == 0:
            queue.removeAll()
            model.removeAll()
        default:
            queue.message(0x44) { $0.append([5, 6]) }
            model += [0x44, 0, 0, 0, 6, 5, 6]
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `queues of one pool hold what arrays would`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pool = BytePool(limit: 1)
        var one = ByteQueue(pool: pool)
        var other = ByteQueue(pool: pool)
        var (first, second): ([UInt8], [UInt8]) = ([], [])
        for turn in 0..<400 {
            if Bool.random(using: &random) {
                step(&one, &first, &random)
            } else {
                step(&other, &second, &random)
            }
            let isSame = contents(one) == first && contents(other) == second
            #expect(isSame && one.count == first.count && other.isEmpty == second.isEmpty)
            guard isSame else {
                Issue.record("turn \(turn)")
                return
            }
        }
    }
}
