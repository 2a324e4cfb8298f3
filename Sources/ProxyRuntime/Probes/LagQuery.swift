// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// The one query that every member is asked every 100 ms; the same text on a primary and on a
/// standby, on PostgreSQL 13 to 18. Without the rights of `pg_monitor` only the state of the
/// receiver and its timeline are missing.
enum LagQuery {
    static let text = """
        SELECT r.in_recovery,
          CASE WHEN r.in_recovery THEN pg_catalog.pg_last_wal_replay_lsn()
               ELSE pg_catalog.pg_current_wal_insert_lsn() END,
          CASE WHEN NOT r.in_recovery THEN pg_catalog.pg_current_wal_flush_lsn() END,
          CASE WHEN r.in_recovery THEN pg_catalog.pg_last_wal_receive_lsn() END,
          CASE WHEN r.in_recovery THEN pg_catalog.floor(extract(epoch FROM
            pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) * 1000)
            ::bigint END,
          CASE WHEN NOT r.in_recovery THEN
            ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(
              pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint
            ELSE w.received_tli END,
          CASE WHEN r.in_recovery AND w.pid IS NULL THEN false
               WHEN r.in_recovery THEN w.status = 'streaming' END,
          (SELECT system_identifier FROM pg_catalog.pg_control_system()),
          pg_catalog.current_setting('server_version_num'),
          pg_catalog.current_setting('wal_block_size'),
          pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))
        FROM (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery) AS r
        LEFT JOIN pg_catalog.pg_stat_wal_receiver AS w ON true
        """

    /// Nil when the answer has not the shape of this query's.
    static func sample(_ answer: ControlAnswer) -> NodeSample? {
        guard let row = answer.rows.first, row.count == 11, let inRecovery = row[0] else {
            return nil
        }
        var sample = NodeSample(
            isInRecovery: inRecovery == "t", askedAt: answer.sentAt, arrivedAt: answer.arrivedAt)
        let blockSize = row[9].flatMap { UInt64($0) } ?? 8192
        let segmentSize = row[10].flatMap { UInt64($0) } ?? 16 << 20
        func position(_ text: String?) -> LogPosition? {
            text.flatMap { LogPosition(text: $0) }?
                .withoutPageHeader(blockSize: blockSize, segmentSize: segmentSize)
        }
        sample.position = position(row[1])
        sample.flushed = position(row[2])
        sample.received = position(row[3])
        // A standby's clock may be behind the primary's.
        sample.replayDelay = row[4].flatMap { Int64($0) }.map {
            .milliseconds(UInt64(clamping: $0))
        }
        sample.timeline = row[5].flatMap { UInt32($0) }
        sample.isStreaming = row[6].map { $0 == "t" }
        sample.systemIdentifier = row[7]
        sample.serverVersion = row[8].flatMap { Int($0) }
        return sample
    }
}
