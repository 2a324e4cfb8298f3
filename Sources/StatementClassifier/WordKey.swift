// SPDX-License-Identifier: Apache-2.0

/// A word as 128 bits: exact up to 16 bytes, a hash beyond that.
///
/// Built while the lexer walks over the word, so that finding it in a table costs one probe and
/// one comparison. Two long names with one key are possible and harmless: the worst they can do
/// is send a statement where the server refuses it.
struct WordKey: Equatable, Sendable {
    var low: UInt64 = 0
    var high: UInt64 = 0
    private var count: UInt8 = 0

    init() {}

    /// The key of a whole name; only ASCII letters are folded, as PostgreSQL does in UTF-8.
    init(_ name: some Sequence<UInt8>) {
        for byte in name { append(Self.fold(byte)) }
    }

    /// The key of `qualifier.name`.
    init(qualifier: WordKey, name: WordKey) {
        low = Self.mix(qualifier.low, qualifier.high) ^ name.low
        high = Self.mix(name.high, qualifier.low) ^ 0x2E2E_2E2E_2E2E_2E2E
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        if count < 8 {
            low = low << 8 | UInt64(byte)
        } else if count < 16 {
            high = high << 8 | UInt64(byte)
        } else {
            high = Self.mix(high ^ UInt64(byte), low)
        }
        count = count &+ (count < 255 ? 1 : 0)
    }

    /// Folds an upper-case ASCII letter.
    @inline(__always)
    static func fold(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

    @inline(__always)
    static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = (left ^ 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
        return (product ^ product >> 32) &+ right &* 0xA24B_AED4_963E_E407
    }

    @inline(__always)
    var hash: UInt64 { Self.mix(low, high) }

    static func == (left: WordKey, right: WordKey) -> Bool {
        left.low == right.low && left.high == right.high
    }
}

/// An open-addressed table from word to value, built once and then only read.
struct WordTable<Value: Sendable>: Sendable {
    private struct Slot: Sendable {
        var key = WordKey()
        var value: Value
    }

    private var slots: [Slot]
    private var shift: UInt64
    private let absent: Value
    private(set) var count = 0

    init(absent: Value, capacity: Int) {
        var bits: UInt64 = 4
        while 1 << bits < capacity * 2 { bits += 1 }
        self.absent = absent
        shift = 64 - bits
        slots = Array(repeating: Slot(value: absent), count: 1 << Int(bits))
    }

    @inline(__always)
    func find(_ key: WordKey) -> Value {
        var index = Int(truncatingIfNeeded: (key.hash &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while true {
            let slot = slots[index]
            if slot.key == key { return slot.value }
            if slot.key == WordKey() { return absent }
            index = (index + 1) & (slots.count - 1)
        }
    }

    /// Changes the value of a word, which starts as `absent`; grows before it gets crowded.
    mutating func update(_ key: WordKey, _ change: (inout Value) -> Void) {
        if key == WordKey() { return }
        if count * 2 >= slots.count { grow() }
        var index = Int(truncatingIfNeeded: (key.hash &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while slots[index].key != key {
            if slots[index].key == WordKey() {
                slots[index].key = key
                count += 1
                break
            }
            index = (index + 1) & (slots.count - 1)
        }
        change(&slots[index].value)
    }

    private mutating func grow() {
        var larger = WordTable(absent: absent, capacity: slots.count)
        for slot in slots where slot.key != WordKey() {
            larger.update(slot.key) { $0 = slot.value }
        }
        self = larger
    }
}
