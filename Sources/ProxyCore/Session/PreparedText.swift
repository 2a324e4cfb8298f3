// SPDX-License-Identifier: Apache-2.0

package import StatementClassifier

/// A statement text with its parameter types, as the clients of a shard share it that mean the same.
package final class PreparedText {
    /// Text, its zero, and the parameter types, as they follow the name in a Parse.
    package let definition: [UInt8]
    package let hash: UInt64
    package let context: ParseContext
    /// The settings by which its constants were read; nil until its server has said so, where its
    /// transaction had changed some before.
    package private(set) var constants: [ParameterSet.Entry]?
    /// The name under which servers know it.
    package let canonicalName: [UInt8]
    /// Unique over all shards, because a server may move to another one.
    package let index: Int
    package private(set) var classification: Classification
    package private(set) var fingerprint: UInt64
    /// The catalogue by which it was classified.
    private(set) var catalogueVersion: Int
    /// For a command that martlet may have to read again (SET, SHOW): the text itself.
    package let textCount: Int

    init(
        definition: [UInt8], textCount: Int, hash: UInt64, index: Int, context: ParseContext,
        constants: [ParameterSet.Entry], classification: Classification, fingerprint: UInt64
    ) {
        self.definition = definition
        self.textCount = textCount
        self.hash = hash
        self.index = index
        self.classification = classification
        self.fingerprint = fingerprint
        self.context = context
        self.constants = context.changes == 0 ? constants : nil
        catalogueVersion = context.catalogueVersion
        canonicalName = Self.canonicalName(of: index)
    }

    /// It is classified by another catalogue.
    func reclassified(
        _ result: (classification: Classification, fingerprint: UInt64), catalogue version: Int
    ) {
        (classification, fingerprint) = result
        catalogueVersion = version
    }

    /// The settings by which its constants are read are known now.
    func learned(constants: [ParameterSet.Entry]?) { self.constants = constants }

    static func canonicalName(of index: Int) -> [UInt8] { Array("martlet_\(index)".utf8) }
}
