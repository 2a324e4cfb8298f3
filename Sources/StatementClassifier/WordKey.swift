// SPDX-License-Identifier: Apache-2.0

/// A word as 128 bits: exact up to 16 bytes, a hash beyond that.
///
/// Built while the lexer walks over the word, so that finding it in a table costs one probe and
/// one comparison. Two long names with one key are possible and harmless: the worst they can do
/// is send a statement where the server refuses it.
struct WordKey: Equatable, Sendable {
    var low: UInt64 = 0
    var high: UInt64 = 0

    init() {}

    /// The key of a whole name; only ASCII letters are folded, as PostgreSQL does in UTF-8.
    init(_ name: some Sequence<UInt8>) {
        var count = 0
        for byte in name {
            append(Self.fold(byte), at: count)
            count += 1
        }
    }

    /// The key of `qualifier.name`.
    init(qualifier: WordKey, name: WordKey) {
        low = Self.mix(qualifier.low, qualifier.high) ^ name.low
        high = Self.mix(name.high, qualifier.low) ^ 0x2E2E_2E2E_2E2E_2E2E
    }

    /// Adds the byte with the given index in the word.
    @inline(__always)
    mutating func append(_ byte: UInt8, at index: Int) {
        if index < 8 {
            low = low << 8 | UInt64(byte)
        } else if index < 16 {
            high = high << 8 | UInt64(byte)
        } else {
            high = Self.mix(high ^ UInt64(byte), low)
        }
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
    var hash: UInt64 {
        let mixed = Self.mix(low, high)
        return mixed ^ mixed >> 29
    }

    @inline(__always)
    static func == (left: WordKey, right: WordKey) -> Bool {
        (left.low ^ right.low) | (left.high ^ right.high) == 0
    }
}

/// An open-addressed table from word to value, built once and then only read.
struct WordTable<Value: Sendable>: Sendable {
    struct Slot: Sendable {
        var key = WordKey()
        var value: Value
    }

    private(set) var slots: [Slot]
    private let absent: Value
    private var count = 0

    init(absent: Value, capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        self.absent = absent
        slots = Array(repeating: Slot(value: absent), count: size)
    }

    /// A table without room, in which nothing is looked for.
    static func empty(absent: Value) -> WordTable {
        var table = WordTable(absent: absent, capacity: 0)
        table.slots = []
        return table
    }

    /// A span of the words for lexer and scanner; using an array could count references.
    var view: WordView<Value> {
        @_lifetime(borrow self)
        borrowing get { WordView(slots.span, absent: absent) }
    }

    func find(_ key: WordKey) -> Value { view.find(key) }

    /// Changes the value of a word, which starts as `absent`; grows before it gets crowded.
    mutating func update(_ key: WordKey, _ change: (inout Value) -> Void) {
        if key == WordKey() { return }
        if count * 2 >= slots.count { grow() }
        var index = Int(truncatingIfNeeded: key.hash) & (slots.count - 1)
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

extension WordTable where Value: Equatable {
    /// Whether both have the same values under the same keys, wherever these lie.
    func hasSameEntries(as other: WordTable) -> Bool {
        guard count == other.count else { return false }
        return slots.allSatisfy { slot in
            slot.key == WordKey() || other.find(slot.key) == slot.value
        }
    }
}

/// A `WordTable` for as long as one text is read.
struct WordView<Value: Sendable>: ~Escapable {
    private let slots: Span<WordTable<Value>.Slot>
    private let absent: Value

    @_lifetime(copy slots)
    init(_ slots: Span<WordTable<Value>.Slot>, absent: Value) {
        self.slots = slots
        self.absent = absent
    }

    var isEmpty: Bool { slots.isEmpty }

    @inline(__always)
    func find(_ key: WordKey) -> Value {
        if slots.isEmpty { return absent }
        var index = Int(truncatingIfNeeded: key.hash) & (slots.count - 1)
        while true {
            let slot = slots[index]
            if slot.key == key { return slot.value }
            if slot.key == WordKey() { return absent }
            index = (index + 1) & (slots.count - 1)
        }
    }
}
