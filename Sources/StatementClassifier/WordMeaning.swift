// SPDX-License-Identifier: Apache-2.0

/// The meaning of a built-in function for routing.
enum FunctionClass: UInt8, Sendable {
    /// Not a function of PostgreSQL.
    case unknown
    /// Only reads, or is volatile in a way that a standby serves as well (`random`).
    case reads
    /// Runs a query that it gets as text.
    case dynamicQuery
    /// Moves a sequence.
    case sequence
    /// Asks for what the session remembers of sequences.
    case sequenceMemory
    /// Tells where a sequence stands.
    case sequencePosition
    case advisorySession
    case advisoryTransaction
    case setConfig
    case currentSetting
    case notify
    case largeObject
    case serverControl
    case transactionIdentity
    case snapshot
    /// Leaves state in the session that no other server has.
    case sessionState
    /// Describes the server that answers.
    case nodeAnswer
    case asksForPrimary
}

/// Everything that is known in advance about one word, in the 32 bits of a token that are for it.
struct WordMeaning: Sendable {
    var keyword = Keyword.none
    var category = WordCategory.identifier
    var function = FunctionClass.unknown
    var traits: Traits = []

    struct Traits: OptionSet, Sendable {
        let rawValue: UInt8
        /// A parenthesis after it belongs to the grammar: `OVER (`, `PARTITION BY (`.
        static let construct = Traits(rawValue: 1)
        /// A relation whose rows describe one server (`pg_locks`).
        static let nodeRelation = Traits(rawValue: 2)
    }

    @inline(__always)
    var isConstruct: Bool { traits.contains(.construct) }
    @inline(__always)
    var isNodeRelation: Bool { traits.contains(.nodeRelation) }

    /// The table of all words that PostgreSQL itself gives a meaning to.
    static let table: WordTable<WordMeaning> = {
        var table = WordTable(absent: WordMeaning(), capacity: 3_000)
        func each(_ words: String, _ change: (inout WordMeaning) -> Void) {
            for word in words.utf8.split(whereSeparator: { $0 == 32 || $0 == 10 }) {
                table.update(WordKey(word), change)
            }
        }
        let categories: [(String, WordCategory)] = [
            (BuiltinNames.unreserved, .unreserved), (BuiltinNames.columnName, .columnName),
            (BuiltinNames.typeOrFunction, .typeOrFunction), (BuiltinNames.reserved, .reserved),
        ]
        for (words, category) in categories {
            each(words) { ($0.keyword, $0.category) = (.other, category) }
        }
        for keyword in Keyword.allCases { each(keyword.rawValue) { $0.keyword = keyword } }
        each(BuiltinNames.readers) { $0.function = .reads }
        for (function, words) in sortedFunctions { each(words) { $0.function = function } }
        each(constructs) { $0.traits.insert(.construct) }
        each(nodeRelations) { $0.traits.insert(.nodeRelation) }
        return table
    }()

    fileprivate static let primaryFunctions: [String] = sortedFunctions.flatMap { function, words in
        // What these two do depends on arguments; `statefulBody` finds the bad uses.
        let isHarmless = function == .reads || function == .currentSetting
        return isHarmless || function == .setConfig ? [] : names(words)
    }

    fileprivate static let nodeRelationNames: [String] = names(nodeRelations)

    private static func names(_ words: String) -> [String] {
        words.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// Unreserved keywords that the grammar itself follows with a parenthesis.
    private static let constructs = """
        by over filter within rows range groups sets cube rollup columns second repeatable
        materialized value passing first next escape nested key keys varying operator
        """

    /// Relations that say what one server does at the moment, beside all `pg_stat_…`.
    ///
    /// An application sees one server. Were these answered by any replica, sessions
    /// and locks would come and go between two questions.
    private static let nodeRelations = """
        pg_locks pg_replication_slots pg_replication_origin_status pg_prepared_xacts
        pg_prepared_statements pg_cursors pg_sequences pg_backend_memory_contexts
        pg_shmem_allocations pg_shmem_allocations_numa pg_aios pg_hba_file_rules
        pg_ident_file_mappings pg_file_settings
        """

    /// Functions that are volatile in PostgreSQL 14 to 18, or differ on a standby.
    private static let sortedFunctions: [(FunctionClass, String)] = [
        (.reads, """
            random random_normal gen_random_uuid uuidv4 uuidv7 array_sample array_shuffle
            clock_timestamp timeofday pg_sleep pg_sleep_for pg_sleep_until current_query
            pg_jit_available pg_partition_ancestors pg_partition_tree pg_get_wal_resource_managers
            pg_collation_actual_version pg_database_collation_actual_version
            pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size
            pg_database_size pg_tablespace_size bernoulli system system_user
            """),
        (.dynamicQuery, """
            query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml
            cursor_to_xmlschema table_to_xml table_to_xmlschema table_to_xml_and_xmlschema
            schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema
            database_to_xml database_to_xmlschema database_to_xml_and_xmlschema ts_stat ts_rewrite
            """),
        (.sequence, "nextval setval"),
        (.sequenceMemory, "currval lastval"),
        (.sequencePosition, "pg_sequence_last_value pg_get_sequence_data"),
        (.advisorySession, """
            pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock
            pg_try_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_shared
            pg_advisory_unlock_all
            """),
        (.advisoryTransaction, """
            pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_xact_lock
            pg_try_advisory_xact_lock_shared
            """),
        (.setConfig, "set_config"),
        (.currentSetting, "current_setting"),
        (.notify, "pg_notify"),
        (.largeObject, """
            lo_close lo_creat lo_create lo_export lo_from_bytea lo_get lo_import lo_lseek
            lo_lseek64 lo_open lo_put lo_tell lo_tell64 lo_truncate lo_truncate64 lo_unlink
            loread lowrite
            """),
        (.serverControl, """
            pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile
            pg_rotate_logfile_old pg_switch_wal pg_create_restore_point pg_promote
            pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup pg_current_wal_lsn
            pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_walfile_name
            pg_walfile_name_offset pg_wal_replay_pause pg_wal_replay_resume
            pg_log_backend_memory_contexts pg_log_standby_snapshot pg_logical_emit_message
            pg_copy_logical_replication_slot pg_copy_physical_replication_slot
            pg_create_logical_replication_slot pg_create_physical_replication_slot
            pg_drop_replication_slot pg_replication_slot_advance pg_sync_replication_slots
            pg_logical_slot_get_changes pg_logical_slot_get_binary_changes
            pg_logical_slot_peek_changes pg_logical_slot_peek_binary_changes
            pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop
            pg_import_system_collations brin_summarize_range brin_summarize_new_values
            brin_desummarize_range gin_clean_pending_list pg_nextoid
            """),
        (.transactionIdentity, """
            txid_current txid_current_if_assigned txid_current_snapshot txid_status
            pg_current_xact_id pg_current_xact_id_if_assigned pg_current_snapshot pg_xact_status
            pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_last_committed_xact
            pg_get_multixact_members
            """),
        (.snapshot, "pg_export_snapshot"),
        (.sessionState, """
            setseed pg_replication_origin_session_setup pg_replication_origin_session_reset
            pg_replication_origin_xact_setup pg_replication_origin_xact_reset
            """),
        (.nodeAnswer, """
            pg_lock_status pg_blocking_pids pg_safe_snapshot_blocking_pids pg_prepared_xact
            pg_prepared_statement pg_cursor pg_listening_channels pg_notification_queue_usage
            pg_get_replication_slots pg_show_replication_origin_status
            pg_replication_origin_progress pg_replication_origin_session_progress
            pg_replication_origin_session_is_setup pg_last_wal_receive_lsn pg_last_wal_replay_lsn
            pg_last_xact_replay_timestamp pg_is_wal_replay_paused pg_get_wal_replay_pause_state
            pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
            pg_current_logfile pg_read_file pg_read_binary_file pg_read_file_old pg_ls_dir
            pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir pg_ls_logicalmapdir
            pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_hba_file_rules
            pg_ident_file_mappings pg_show_all_file_settings pg_get_backend_memory_contexts
            pg_get_process_memory_contexts pg_get_shmem_allocations pg_get_shmem_allocations_numa
            pg_get_aios pg_get_loaded_modules pg_get_wal_summarizer_state
            pg_available_wal_summaries pg_wal_summary_contents pg_postmaster_start_time
            pg_conf_load_time
            """),
        (.asksForPrimary, "pg_is_in_recovery"),
    ]
}

/// PostgreSQL's own names whose use, also inside functions and views, is for the primary.
package enum PrimaryNames {
    package static let functions = WordMeaning.primaryFunctions
    /// They say what one server does at the moment.
    package static let relations = WordMeaning.nodeRelationNames
}
