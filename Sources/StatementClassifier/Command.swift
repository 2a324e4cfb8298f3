// SPDX-License-Identifier: Apache-2.0

/// Details of a command that changes or asks for session state; ranges are bytes of the text.
///
/// Names and values are ranges and not strings because most are forwarded and never looked at;
/// `SettingText` decodes them. The fixed spellings come through the ordinary cases with the
/// range over their words: `SET TIME ZONE x`, `SET NAMES x`, `SET SCHEMA x`, `SET ROLE x`,
/// `SET SESSION AUTHORIZATION x`, `SHOW TRANSACTION ISOLATION LEVEL`. `SettingText.name` knows
/// which setting each of them means.
package enum Command: Equatable, Sendable {
    case none
    /// `SET name TO value [, …]`; the value covers the whole list.
    case set(name: Range<Int>, value: Range<Int>?, local: Bool)
    /// `SET name TO DEFAULT`, `SET TIME ZONE LOCAL`; `effects` tells `LOCAL` from `SESSION`.
    case setDefault(name: Range<Int>)
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION …`.
    case setCharacteristics(TransactionModes)
    /// `SELECT set_config('name', 'value', local)` and nothing else; ranges cover the literals.
    case setConfig(name: Range<Int>, value: Range<Int>, local: Bool)
    case reset(name: Range<Int>)
    case resetAll
    case discardAll
    case discardPlans
    case discardSequences
    case discardTemporary
    case show(name: Range<Int>)
    case showAll
    /// `PREPARE name [(types)] AS statement`; the destination is that of the inner statement.
    case prepare(name: Range<Int>)
    case execute(name: Range<Int>)
    case deallocate(name: Range<Int>)
    case deallocateAll
    case listen(name: Range<Int>)
    case unlisten(name: Range<Int>)
    case unlistenAll
    case copyFromStdin
    case copyToStdout
    case declareCursor(name: Range<Int>, hold: Bool)
    case fetchCursor
    case closeCursor(name: Range<Int>)
    case closeAllCursors

    var resets: Resets {
        switch self {
        case .reset, .setDefault: .one
        case .resetAll: .all
        case .discardAll: .session
        default: .nothing
        }
    }

    /// Neither reads nor writes data.
    package var isAboutSession: Bool {
        switch self {
        case .set, .setDefault, .setCharacteristics, .reset, .resetAll, .show, .showAll,
            .prepare, .deallocate, .deallocateAll, .discardPlans, .discardSequences:
            true
        default: false
        }
    }
}
