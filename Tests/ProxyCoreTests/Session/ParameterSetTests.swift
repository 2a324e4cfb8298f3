// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ProxyCore

struct ParameterSetTests {
    @Test func `settings are in the order of their names and found by them`() {
        let set = ParameterSet(["b": "2", "a": "1"])
        #expect(set.entries == [.init(name: "a", value: "1"), .init(name: "b", value: "2")])
        #expect(set["b"] == "2" && set["c"] == nil)
        #expect(set.dictionary == ["a": "1", "b": "2"] && ParameterSet.empty.entries.isEmpty)
    }

    @Test func `sets are the same by what they say`() {
        let set = ParameterSet(["a": "1"])
        #expect(set.isSame(as: set) && set.isSame(as: ParameterSet(["a": "1"])))
        for other in [[:], ["a": "2"], ["b": "1"], ["a": "1", "b": ""]] {
            #expect(!set.isSame(as: ParameterSet(other)))
        }
    }

    @Test func `a value is changed in a set of its own, and one that agrees in none`() {
        let set = ParameterSet(["a": "1", "b": "2"])
        #expect(set.with("a", "1") === set && set.with("c", nil) === set)
        #expect(set.with("a", "3").dictionary == ["a": "3", "b": "2"])
        #expect(set.with("a", nil).dictionary == ["b": "2"])
        #expect(set.with("c", "").dictionary == ["a": "1", "b": "2", "c": ""])
        #expect(set.dictionary == ["a": "1", "b": "2"])
    }

    @Test(arguments: [
        ([:], false, true, true),
        (["default_transaction_isolation": "serializable"], true, true, true),
        (["default_transaction_isolation": "repeatable read"], false, true, true),
        (["standard_conforming_strings": "off"], false, false, true),
        (["standard_conforming_strings": "on"], false, true, true),
        (["client_encoding": "SJIS"], false, true, false),
        (["client_encoding": "UTF8"], false, true, true),
    ])
    func `what matters to reading and routing is known beforehand`(
        values: [String: String], isSerializable: Bool, hasStandardStrings: Bool, isSafe: Bool
    ) {
        let set = ParameterSet(values)
        #expect(set.isSerializable == isSerializable)
        #expect(set.hasStandardStrings == hasStandardStrings && set.encodingIsSafe == isSafe)
    }

    @Test func `only settings by which statements are read make them read otherwise`() {
        let plain = ParameterSet([:]).parseSettingsHash
        #expect(ParameterSet(["application_name": "x", "my.own": "y"]).parseSettingsHash == plain)
        let path = ParameterSet(["search_path": "a"]).parseSettingsHash
        #expect(path != plain && path != ParameterSet(["search_path": "b"]).parseSettingsHash)
        #expect(path == ParameterSet(["search_path": "a", "work_mem": "1MB"]).parseSettingsHash)
        // One that a later version may have matters until it is known not to.
        #expect(ParameterSet(["some_new_setting": "on"]).parseSettingsHash != plain)
    }

    @Test func `settings by which constants are read are picked out`() {
        let set = ParameterSet(["timezone": "UTC", "search_path": "a", "datestyle": "ISO"])
        #expect(set.literalSettings.map(\.name) == ["datestyle", "timezone"])
    }

    @Test func `of sets that say the same one is kept for all`() {
        var sets = ParameterSets()
        let first = ParameterSet(["a": "1"])
        #expect(sets.one(for: first) === first)
        #expect(sets.one(for: ParameterSet(["a": "1"])) === first)
        let other = ParameterSet(["a": "2"])
        #expect(sets.one(for: other) === other && sets.one(for: first) === first)
    }

    @Test func `very many different sets are forgotten together, and none is mistaken`() {
        var sets = ParameterSets()
        let first = sets.one(for: ParameterSet(["a": "first"]))
        for number in 0..<1_024 {
            let set = ParameterSet(["a": "\(number)"])
            #expect(sets.one(for: set) === set)
        }
        let again = ParameterSet(["a": "first"])
        #expect(sets.one(for: again) === again && again !== first)
    }
}
