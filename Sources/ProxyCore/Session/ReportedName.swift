// SPDX-License-Identifier: Apache-2.0

/// The spelling in which PostgreSQL reports its settings; martlet keeps names in lower case.
enum ReportedName {
    static let hotStandby = "in_hot_standby"

    private static let mixed = [
        "datestyle": "DateStyle", "intervalstyle": "IntervalStyle", "timezone": "TimeZone",
    ]

    static func display(_ name: String) -> String { mixed[name] ?? name }
}
