"""Where each trap of the list of what a PostgreSQL proxy must get right is tested: §1.1 to 1.3 and 1.6 to 1.9.

§1.4 is in test_session_variables.py, §1.5 in test_simple_query.py, §1.10 in test_peer_bugs.py, each with a table of its own. This one only
points elsewhere: to tests by `module::test`, to scripts of bytes, which are played against PostgreSQL itself, by `bytes: name` and
`extended: name`, and to unit tests, by `tests/file::Test`. That all of these exist is what is tested here.
"""
import bytes_scripts
import harness
import test_extended

ITEMS = [f"{letter}{number}" for letter, count in (("S", 16), ("A", 11), ("K", 8), ("E", 23), ("R", 9), ("C", 17), ("F", 9))
         for number in range(1, count + 1)]

TESTED = {
    # connection start
    "S1": ("test_protocol::test_a_garbage_start_is_ended_with_a_word_or_without", "test_protocol::test_a_startup_packet_in_pieces"),
    "S2": ("test_protocol::test_requests_to_encrypt_are_declined_and_the_session_goes_on",
           "test_protocol::test_endless_requests_to_encrypt_are_ended", "test_tls_clients::test_there_is_no_tls_inside_tls"),
    "S3": ("test_protocol::test_bytes_sent_behind_a_request_to_encrypt_are_refused",
           "test_tls_clients::test_bytes_sent_before_the_handshake_are_refused",
           "test_tls_upstream::test_bytes_before_the_handshake_end_the_connection"),
    "S4": ("test_protocol::test_requests_to_encrypt_are_declined_and_the_session_goes_on",
           "test_tls_clients::test_gss_is_declined_before_tls"),
    "S5": ("test_tls_clients::test_a_cancel_request_needs_no_tls", "test_tls_clients::test_a_cancel_request_may_come_by_tls",
           "test_limits::test_cancel_requests_do_not_count"),
    "S6": ("test_protocol::test_newer_minor_versions_and_options_are_negotiated_as_postgresql_18_does",
           "test_protocol::test_protocol_4_is_refused_by_its_number"),
    "S7": ("test_protocol::test_newer_minor_versions_and_options_are_negotiated_as_postgresql_18_does",),
    "S8": ("test_limits::test_clients_of_newer_protocols_get_long_keys_that_work",
           "test_protocol::test_cancel_ends_the_statement_and_not_the_session"),
    "S9": ("test_tls_clients::test_a_direct_start_needs_the_protocols_name",
           "test_tls_clients::test_a_start_by_request_refuses_only_another_protocols_name",
           "test_tls_upstream::test_the_direct_start_of_tls"),
    "S10": ("test_tls_clients::test_where_tls_is_required_plain_connections_are_refused_as_pg_hba_would",
            "test_tls_clients::test_clients_certificates_are_verified_where_there_is_an_authority_for_them",
            "test_auth::test_certificates_and_entries_for_tls"),
    "S11": ("test_protocol::test_a_startup_without_user_is_refused_as_postgres_does",
            "test_protocol::test_the_database_defaults_to_the_name_of_the_user",
            "test_protocol::test_an_unknown_setting_at_startup_fails_as_in_postgres",
            "test_session_variables::test_search_path_of_the_startup_options"),
    "S12": ("test_session_variables::test_a_setting_that_can_change_a_result_is_part_of_the_question",
            "test_session_variables::test_search_path_of_the_startup_options"),
    "S13": ("test_auth::test_startup_parameters_reach_postgresql_but_not_the_question_for_the_password",
            "test_auth::test_the_path_that_a_client_asks_for_does_not_reach_the_question_for_verifiers"),
    "S14": ("test_transparency::test_what_a_login_says_is_the_same",
            "test_session_variables::test_what_a_login_reports_is_what_the_server_reports"),
    "S15": ("test_limits::test_max_clients_refuses_the_next_one_and_takes_another_when_one_has_gone",
            "test_failures::test_a_full_connection_table_of_postgres", "test_config::test_sigterm_lets_a_transaction_end"),
    "S16": ("test_protocol::test_a_connection_that_says_nothing_harms_nobody",),
    # authentication
    "A1": ("test_auth::test_a_login_in_single_bytes_with_a_query_behind_it",
           "test_auth::test_what_is_no_answer_is_refused_and_harms_nobody"),
    "A2": ("test_tls_upstream::test_scram_is_relayed_where_one_leg_has_tls",
           "test_tls_upstream::test_scram_with_tls_on_both_legs_works_without_channel_binding_and_else_is_refused_clearly"),
    "A3": ("test_auth::test_a_verifier_is_enough_where_postgresql_has_the_same",
           "tests/proxy/auth/scram_test.cpp::ByPasswordAndByRecoveredKey"),
    "A4": ("test_auth::test_a_wrong_password_and_an_unknown_user_cannot_be_told_apart",
           "test_auth::test_the_salt_of_an_unknown_user_is_its_own_and_stays"),
    "A5": ("tests/proxy/auth/login_test.cpp::UpstreamByEveryMethodOfAKnownPassword",),
    "A6": ("test_auth::test_channel_binding_to_pgmemo", "test_auth::test_binding_is_used_upstream_with_a_known_password_too"),
    "A7": ("test_auth::test_md5_on_both_sides",),
    "A8": ("test_auth::test_a_query_of_ones_own_for_the_verifiers", "test_auth::test_a_revoked_login_stops_hitting",
           "tests/proxy/auth/login_test.cpp::EmptyPasswordsAreRefusedBeforeAnythingIsCompared"),
    "A9": ("test_auth::test_what_is_no_answer_is_refused_and_harms_nobody",
           "tests/proxy/auth/scram_test.cpp::RefusesWhatNoServerSays"),
    "A10": ("test_auth::test_a_revoked_login_stops_hitting", "test_auth::test_when_nobody_can_be_asked_hits_end_in_time",
            "test_peer_bugs::test_rights_that_change_end_what_was_cached_under_the_old_ones"),
    "A11": ("test_auth::test_peer_is_who_the_system_says", "test_auth::test_the_first_entry_that_matches_decides",
            "test_auth::test_certificates_and_entries_for_tls"),
    # cancel
    "K1": ("test_protocol::test_keys_differ_between_sessions",
           "test_protocol::test_the_key_of_a_client_is_not_the_key_of_its_upstream_connection",
           "tests/proxy/cancel_registry_test.cpp::AreAllDifferentAndPositive"),
    "K2": ("test_protocol::test_cancel_of_an_idle_client_does_not_hit_its_next_statement",),
    "K3": ("test_protocol::test_cancel_of_an_idle_client_does_not_hit_its_next_statement",
           "test_limits::test_a_cancel_reaches_a_statement_behind_which_others_wait"),
    "K4": ("test_limits::test_a_hail_of_cancels_never_hits_pgmemos_own_statements",),
    "K5": ("test_limits::test_a_cancel_while_hitting_reaches_nothing",),
    "K6": ("test_limits::test_cancel_requests_do_not_count", "test_tls_upstream::test_a_cancel_goes_the_way_of_its_session"),
    "K8": ("test_protocol::test_a_client_that_vanishes_in_a_transaction_leaves_nothing",
           "test_protocol::test_nothing_is_done_for_a_client_that_vanished_before_its_turn"),
    # the extended protocol
    "E1": ("test_protocol::test_hits_wait_for_their_turn_behind_what_is_upstream", "bytes: many groups at once"),
    "E2": ("test_invalidation::TestExtendedProtocol::test_a_write_in_a_pipeline_is_hidden_until_sync_and_seen_after",
           "test_invalidation::TestExtendedProtocol::test_a_pipeline_that_fails_writes_nothing", "extended: a read and a write"),
    "E3": ("tests/proxy/exchange_group_test.cpp::WithOneMissGoUpstreamWhole", "bytes: writes in a group"),
    "E4": ("test_extended::test_a_group_that_hits_sends_nothing_upstream",),
    "E5": ("bytes: errors in the middle", "extended: an error in the middle", "bytes: a failed parse leaves no name"),
    "E6": ("test_transparency::test_errors_keep_every_field",
           "test_extended::test_a_statement_prepared_here_is_refused_when_its_columns_change"),
    "E7": ("bytes: names", "bytes: a failed parse leaves no name", "extended: names live through errors", "extended: a name given twice"),
    "E8": ("extended: close of what is not there", "extended: a portal that lives while its statement is closed"),
    "E9": ("bytes: portals", "bytes: portals in a transaction", "extended: executed again in the next group",
           "extended: described again in the next group"),
    "E10": ("extended: some rows", "extended: as many rows as asked for", "test_peer_bugs::test_a_portal_that_is_suspended"),
    "E11": ("extended: described as a statement", "extended: formats made of the statement's description", "bytes: described"),
    "E12": ("extended: too many formats", "extended: a format for each column", "bytes: bad formats"),
    "E13": ("test_peer_bugs::test_parameters_and_results_in_every_format", "bytes: binary values", "bytes: declared types"),
    "E14": ("extended: too few values", "extended: not a number", "bytes: bad values"),
    "E15": ("extended: two statements", "extended: empty statement"),
    "E16": ("test_first_query::test_nothing_hits_in_a_failed_transaction", "test_first_query::test_a_snapshot_transaction_never_hits",
            "extended: hit behind a failed transaction", "extended: repeatable read", "extended: own write"),
    "E17": ("test_first_query::test_a_transaction_of_hits_still_ends_with_the_right_status", "extended: begin and commit"),
    "E18": ("bytes: flushed", "bytes: flushed error", "bytes: asyncpg", "extended: flush behind execute"),
    "E19": ("bytes: lib/pq", "extended: prepare apart"),
    "E20": ("test_backpressure::test_a_pipeline_of_many_megabytes_is_answered_however_slowly_it_is_read",),
    "E21": ("test_invalidation::TestExtendedProtocol::test_function_call", "bytes: function call"),
    "E22": ("bytes: cursors", "bytes: prepare in sql", "extended: a cursor's name", "extended: sql prepares"),
    "E23": ("bytes: an unknown type", "bytes: length 3", "bytes: no terminator", "bytes: stray copy", "bytes: a password",
            "bytes: sync too long", "test_protocol::test_nothing_is_done_behind_a_message_that_ends_the_connection"),
    # prepared statements
    "R2": ("bytes: prepared, and first needed behind an error", "tests/proxy/exchange_group_test.cpp::WhoseHiddenParseWasSkippedSendItAnew"),
    "R3": ("bytes: prepared, and then needed in a transaction that failed",
           "bytes: answered, and then needed in a transaction that failed"),
    "R4": ("bytes: bad formats", "extended: too few values"),
    "R5": ("bytes: deallocate all", "bytes: discard all in a transaction", "extended: deallocate all", "extended: discard all"),
    "R6": ("bytes: a plan whose result type changes",
           "test_extended::test_a_statement_whose_columns_change_is_prepared_anew_for_a_client_that_asks_for_them"),
    "R7": ("bytes: a statement under another search path",),
    "R8": ("bytes: names larger than a buffer", "bytes: huge names", "bytes: names"),
    "R9": ("tests/proxy/prepared_test.cpp::OfAClientThatNeverClosesAreBoundedAndStayRight",),
    # COPY, replication, notifications, other session state
    "C1": ("bytes: copy in, extended", "bytes: copy and flush and sync",
           "test_invalidation::TestExtendedProtocol::test_copy_in_with_the_sync_sent_early"),
    "C2": ("bytes: copy out", "test_transparency::test_copy_in_both_directions"),
    "C3": ("test_invalidation::test_copy_from_stdin", "test_invalidation::test_copy_inside_a_text_of_several"),
    "C4": ("test_protocol::test_a_session_of_replication_passes",),
    "C5": ("bytes: notify", "test_transparency::test_notifications_arrive",
           "test_limits::test_what_the_server_says_by_itself_reaches_a_client_that_only_hits"),
    "C6": ("test_limits::test_an_end_by_the_server_reaches_a_client_that_only_hits",
           "test_session_variables::test_a_reload_of_the_servers_configuration_reaches_sessions_of_hits"),
    "C7": ("test_limits::test_the_servers_idle_limits_do_not_end_a_client_that_is_busy_hitting",),
    "C8": ("bytes: too slow behind rows", "bytes: an error behind rows"),
    "C9": ("test_analysis::test_temporary_tables_and_what_they_hide",
           "test_session_settings::test_a_temporary_table_hides_the_permanent_one_from_its_session_only"),
    "C10": ("test_transparency::test_prepared_transactions_and_advisory_locks_belong_to_the_session",
            "test_analysis::test_it_is_never_a_hit"),
    "C11": ("test_transparency::test_cursors_on_the_server", "test_simple_query::test_what_returns_rows_and_is_no_select_is_never_a_hit"),
    "C14": ("test_session_variables::test_what_one_session_has_set_no_later_one_inherits",
            "test_protocol::test_a_client_that_vanishes_in_a_transaction_leaves_nothing"),
    "C15": ("bytes: transactions", "bytes: late isolation"),
    "C16": ("test_invalidation::test_two_phase_commit", "test_invalidation::test_commit_and_chain",
            "test_first_query::test_rollback_to_a_savepoint_takes_the_write_back"),
    "C17": ("test_analysis::test_it_is_never_a_hit", "test_session_variables::test_what_drivers_ask_of_the_server_is_asked_of_the_server"),
    # flow, close, size
    "F1": ("test_protocol::test_a_half_closed_client_is_still_answered",
           "test_tls_clients::test_a_client_that_closes_its_side_is_still_answered"),
    "F2": ("test_protocol::test_a_query_right_before_the_end_is_answered",),
    "F3": ("test_limits::test_a_client_that_resets_while_its_result_streams_harms_nobody",),
    "F4": ("test_backpressure::test_a_client_that_never_reads_holds_nobody_up",),
    "F5": ("test_transparency::test_a_value_of_many_megabytes_both_ways",
           "test_first_query::test_a_reply_larger_than_max_entry_streams_through_and_is_not_kept", "test_metrics::test_a_bound_of_memory_is_kept"),
    "F7": ("tests/proxy/dial_test.cpp::TCP_NODELAY",),
    "F9": ("test_failures::test_a_backend_ended_in_the_middle_of_a_query",),
}

# Why there is no test.
NOT_HERE = {
    "K7": "each pgmemo knows its own keys only: behind a balancer a cancel has to come to the one that it is for",
    "R1": "every client has an upstream connection of its own, so statements keep the client's names and nothing is mapped; what is prepared "
          "here alone is in E4 and R2",
    "C12": "what has to be pinned to a connection is, by that: there is no pool yet",
    "C13": "no connection is used by a second client, so none is reset",
    "F6": "each pump reads once (64 KiB at most) for each turn of its thread's loop; that others get theirs would be a test of time",
    "F8": "nobody waits in a queue without a pool; above max_clients a client is refused with 53300",
}


def test_every_item_has_its_test():
    assert not set(TESTED) & set(NOT_HERE)
    assert sorted({**TESTED, **NOT_HERE}) == sorted(ITEMS)
    known = {}
    scripts = {"bytes": {**bytes_scripts.SCRIPTS, **bytes_scripts.WILD}, "extended": test_extended.SCRIPTS}
    for item, names in TESTED.items():
        for name in names:
            if "::" not in name:
                kind, script = name.split(": ", 1)
                assert script in scripts[kind], f"{item}: there is no script {name}"
                continue
            place, test = name.split("::", 1)
            if place.startswith("tests/"):
                assert test in (harness.ROOT / place).read_text(), f"{item}: there is no {name}"
                continue
            if place not in known:
                known[place] = harness.tests_in(harness.HERE / f"{place}.py")
            assert test in known[place], f"{item}: there is no {name}"
