//! The statements of the QEMU Machine Protocol Specification, each with a test. The statements are paraphrased; the names
//! of the sections are those of the specification.
//!
//! A statement is tested on real servers (`real`) where possible, and otherwise with a scripted peer (`scripted`). Some are
//! tests of other files, which are called from here.

mod real;
mod scripted;

use crate::support::share::through_shares;
use crate::support::skip::spawn_for_test;
use crate::{addresses, client, client_ends, client_events, failures, guest_agent, python_compat};
use std::panic::catch_unwind;
use std::thread::scope;

/// A section, a statement in it, and its test.
type Row = (&'static str, &'static str, fn());

/// The sections of the specification about the protocol, and one for statements that are not in the specification.
const SECTIONS: &[&str] = &[
    "General Definitions",
    "Server Greeting",
    "Capabilities",
    "Issuing Commands",
    "Out-of-band execution",
    "Commands Responses",
    "Success",
    "Error",
    "Asynchronous events",
    "Rate-limited events",
    "Forcing the JSON parser into known-good state",
    "QGA Synchronization",
    "QMP Examples",
    "Capabilities Negotiation",
    "Compatibility Considerations",
    "Downstream extension of QMP",
    "(the end of a connection)",
];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("General Definitions", "every message of the server is one JSON object and ends with CRLF", real::messages_are_objects_that_end_with_crlf),
    ("General Definitions", "a client can ignore line ends: a message ends with its closing brace", scripted::ignores_line_ends),
    ("General Definitions", "a monitor may be configured to print messages over several lines", addresses::understands_pretty_printed_messages),
    ("General Definitions", "text is UTF-8, or ASCII with escapes, in both directions", real::text_is_utf8_in_both_directions),
    ("General Definitions", "the members of an object come in any order", scripted::accepts_members_in_any_order),
    ("General Definitions", "the server accepts single-quoted strings, and so does a line of the shell", real::accepts_single_quotes),

    ("Server Greeting", "the server sends the first message: its version and capabilities in `QMP`", real::greets_with_version_and_capabilities),
    ("Server Greeting", "the version is that of `query-version`", client::connects_and_executes_with_types_on_every_server),
    ("Server Greeting", "a server with another greeting is not a QMP server; the greeting is quoted", failures::quotes_an_unknown_greeting),
    ("Server Greeting", "replies for an earlier client may come before it", scripted::skips_replies_for_an_earlier_client),
    ("Server Greeting", "a missing or malformed version does not prevent a session", scripted::accepts_greetings_with_more_or_less),

    ("Capabilities", "capabilities are a list of names, of which `oob` is known", real::greets_with_version_and_capabilities),
    ("Capabilities", "an unknown name is ignored and not enabled", scripted::enables_only_known_capabilities_that_are_offered),

    ("Issuing Commands", "a command has `execute`, optional `arguments`, and an `id`", scripted::serialises_commands_as_specified),
    ("Issuing Commands", "an `id` may be any JSON value, and is returned as it was sent", real::returns_ids_of_any_type),
    ("Issuing Commands", "the server refuses any other member", real::refuses_other_members),
    ("Issuing Commands", "several commands may be sent before the first reply", client::matches_replies_by_id_and_ignores_unknown_ones),
    ("Issuing Commands", "in-band commands are executed and answered in order", real::replies_in_band_in_order),
    ("Issuing Commands", "on a Unix socket a file descriptor is sent with the message", client::passes_file_descriptors_to_qemu),

    ("Out-of-band execution", "`exec-oob` instead of `execute` requests it", scripted::serialises_commands_as_specified),
    ("Out-of-band execution", "only commands that introspection marks with `allow-oob` allow it; others are refused", real::runs_only_marked_commands_out_of_band),
    ("Out-of-band execution", "an out-of-band command overtakes in-band commands", real::an_out_of_band_command_overtakes),
    ("Out-of-band execution", "it is refused unless it is enabled", real::out_of_band_must_be_enabled),
    ("Out-of-band execution", "replies are matched by `id`, because they may come in any order", client::matches_replies_by_id_and_ignores_unknown_ones),
    ("Out-of-band execution", "the server stops reading with more than eight in-band commands in flight, so there are at most eight", client::keeps_at_most_eight_requests_in_flight_and_lets_oob_overtake),

    ("Commands Responses", "every command has one response, which is a success or an error", real::replies_to_each_command_with_success_or_error),
    ("Commands Responses", "an unexpected response is ignored", failures::a_script_goes_on_after_invalid_replies_and_stays_in_step),

    ("Success", "`return` has any type: usually an object, but also a list, a string, a number, null", client::returns_values_of_any_type_in_the_spelling_of_the_server),
    ("Success", "a command without a result returns an empty object", real::replies_to_each_command_with_success_or_error),

    ("Error", "an error has a machine-readable class and a human-readable description", real::errors_have_class_and_description),
    ("Error", "an unreadable request gets an error without an `id`", client::gives_an_error_without_id_to_the_oldest_request_in_flight),
    ("Error", "one bad message may cause several errors", real::replies_to_one_bad_message_with_several_errors),
    ("Error", "unreadable requests are therefore not sent", client::does_not_send_requests_that_a_server_cannot_read),
    ("Error", "unreadable requests are not sent by a script either", failures::does_not_send_requests_that_the_server_cannot_read),

    ("Asynchronous events", "an event has a name, a time, and optional data", real::events_have_a_name_a_time_and_optional_data),
    ("Asynchronous events", "the time is seconds and microseconds since 1970, or -1 if it is unknown", scripted::accepts_an_unknown_time),
    ("Asynchronous events", "events come at any time, such as between a command and its reply", client::receives_events_before_the_reply_that_they_precede),
    ("Asynchronous events", "events come before the greeting, and before the end of the negotiation", python_compat::keeps_events_before_the_greeting),
    ("Asynchronous events", "events come while the client sends more than the server reads", client_ends::receives_while_the_server_does_not_read),
    ("Asynchronous events", "events come in any number", client_events::each_listener_gets_its_events_in_order),

    ("Rate-limited events", "some events come at most once a second, and the last one is kept: they must not be counted", real::limits_some_events_to_one_a_second),

    ("Forcing the JSON parser into known-good state", "after half a message the server waits for the rest; byte 0xFF discards the half, with one error", real::a_sync_marker_discards_half_a_message),
    ("Forcing the JSON parser into known-good state", "the same byte from a guest agent discards half a reply", guest_agent::skips_replies_for_earlier_clients),

    ("QGA Synchronization", "an agent sends no greeting, and may have half a request of an earlier client", guest_agent::half_a_request_of_an_earlier_client_is_discarded),
    ("QGA Synchronization", "the reply to `guest-sync-delimited` has the number of the request", guest_agent::ignores_a_sync_reply_with_another_number),
    ("QGA Synchronization", "afterwards the agent behaves like any server", client::synchronises_with_a_guest_agent),

    ("QMP Examples", "stop, a query, a powerdown, an unknown command: as shown", real::the_examples_work_as_shown),

    ("Capabilities Negotiation", "before it, only `qmp_capabilities` is executed", real::executes_nothing_before_the_negotiation),
    ("Capabilities Negotiation", "it enables only what the greeting offered", scripted::enables_only_known_capabilities_that_are_offered),
    ("Capabilities Negotiation", "enabling what was not offered is an error, after which negotiation continues", real::executes_nothing_before_the_negotiation),
    ("Capabilities Negotiation", "after it, `qmp_capabilities` is refused", real::refuses_a_second_negotiation),
    ("Capabilities Negotiation", "a server that refuses it cannot be used", scripted::reports_a_refused_negotiation),
    ("Capabilities Negotiation", "replies for an earlier client come before its end", real::replies_for_an_earlier_client_come_before_the_end_of_negotiation),
    ("Capabilities Negotiation", "a server that is just starting may greet again, and is negotiated with again", client::negotiates_again_after_a_second_greeting),

    ("Compatibility Considerations", "unknown members are ignored in every kind of message", scripted::ignores_unknown_members),
    ("Compatibility Considerations", "unknown events, error classes and values are passed on", scripted::passes_unknown_names_on),
    ("Compatibility Considerations", "a message may be of any length", python_compat::prints_a_reply_over_ten_megabytes),
    ("Compatibility Considerations", "older servers and other servers use the same protocol", addresses::connects_to_other_servers),

    ("Downstream extension of QMP", "names that begin with two underscores and a domain are ordinary names", scripted::accepts_downstream_names),

    ("(the end of a connection)", "a client may disconnect at any time; the VM keeps running, and serves the next client", real::a_client_may_leave_at_any_time),
    ("(the end of a connection)", "the server may close at any time, even in the middle of a message", client_ends::reports_a_server_that_closes_at_any_point),
    ("(the end of a connection)", "`quit` is answered, or the connection ends instead", client_ends::quit_succeeds_with_a_reply_or_with_the_end_of_the_connection),
];

/// The statements that are not tested through a share, each with the reason.
const DIRECT_ONLY: &[(&str, &str)] = &[
    ("a server with another greeting is not a QMP server; the greeting is quoted", "it cannot be shared"),
    ("a server that refuses it cannot be used", "it cannot be shared"),
    ("an unexpected response is ignored", "the share ignores it, so that the client has nothing to warn of"),
    ("events come before the greeting, and before the end of the negotiation", "those are before the first client"),
    ("replies for an earlier client come before its end", "the share discards them"),
    ("the same byte from a guest agent discards half a reply", "guest agents are not shared"),
    ("an agent sends no greeting, and may have half a request of an earlier client", "guest agents are not shared"),
    ("the reply to `guest-sync-delimited` has the number of the request", "guest agents are not shared"),
    ("afterwards the agent behaves like any server", "guest agents are not shared"),
    ("the server may close at any time, even in the middle of a message", "the share ends too; `sharing` tests that"),
];

/// Runs the tests of these sections in parallel, directly or through shares; panics with the statements that do not hold.
fn check(sections: &[&str], is_shared: bool) {
    let is_checked = |(section, statement, _): &&Row| {
        sections.contains(section) && !(is_shared && DIRECT_ONLY.iter().any(|(only, _)| only == statement))
    };
    let rows: Vec<&Row> = TABLE.iter().filter(is_checked).collect();
    assert!(!rows.is_empty());
    let broken: Vec<String> = scope(|scope| {
        let running: Vec<_> = rows
            .iter()
            .map(|(section, statement, test)| {
                let run = move || if is_shared { through_shares(|| catch_unwind(test)) } else { catch_unwind(test) };
                (section, statement, spawn_for_test(scope, run))
            })
            .collect();
        let ended = running.into_iter().map(|(section, statement, thread)| (section, statement, thread.join()));
        ended
            .filter(|(_, _, end)| !matches!(end, Ok(Ok(()))))
            .map(|(section, statement, _)| format!("{section}: {statement}"))
            .collect()
    });
    assert!(broken.is_empty(), "failed statements (the reasons are above):\n{}", broken.join("\n"));
}

/// The sections that each test checks. Each section is in one of them.
const PARTS: [&[&str]; 5] = [
    &["General Definitions", "Server Greeting", "Capabilities", "Capabilities Negotiation"],
    &["Issuing Commands", "Out-of-band execution"],
    &["Commands Responses", "Success", "Error", "Compatibility Considerations", "Downstream extension of QMP"],
    &["Asynchronous events", "Rate-limited events", "QMP Examples"],
    &["Forcing the JSON parser into known-good state", "QGA Synchronization", "(the end of a connection)"],
];

#[test]
fn starts_sessions_as_specified() {
    check(PARTS[0], false);
}

#[test]
fn sends_commands_as_specified() {
    check(PARTS[1], false);
}

#[test]
fn accepts_responses_as_specified() {
    check(PARTS[2], false);
}

#[test]
fn receives_events_as_specified() {
    check(PARTS[3], false);
}

#[test]
fn recovers_and_ends_sessions_as_specified() {
    check(PARTS[4], false);
}

#[test]
fn shares_start_sessions_as_specified() {
    check(PARTS[0], true);
}

#[test]
fn shares_send_commands_as_specified() {
    check(PARTS[1], true);
}

#[test]
fn shares_pass_responses_as_specified() {
    check(PARTS[2], true);
}

#[test]
fn shares_pass_events_as_specified() {
    check(PARTS[3], true);
}

#[test]
fn shares_recover_and_end_sessions_as_specified() {
    check(PARTS[4], true);
}

#[test]
fn every_section_has_statements() {
    for section in SECTIONS {
        assert!(TABLE.iter().any(|(of, ..)| of == section), "`{section}` has no statement");
        assert!(PARTS.concat().contains(section), "`{section}` is in no test");
    }
    for (section, statement, _) in TABLE {
        assert!(SECTIONS.contains(section), "{section}: {statement}");
    }
    for (statement, _) in DIRECT_ONLY {
        assert!(TABLE.iter().any(|(_, of, _)| of == statement), "`{statement}` is not in the table");
    }
}
