//! The QEMU Machine Protocol Specification, statement by statement, each with the test that holds us to it. The statements
//! are in our words, the sections have the specification's names.
//!
//! Where a real server can be brought to show it, it is one (`real`); else a scripted peer says what a server may say
//! (`scripted`). What other capabilities test anyway is called from there.

mod real;
mod scripted;

use std::panic::catch_unwind;
use std::thread::scope;

use crate::{addresses, client, client_ends, client_events, failures, guest_agent, python_compat};

/// A section, what it says, and the test of it.
type Row = (&'static str, &'static str, fn());

/// The specification's sections that say something of the wire; behind them, what it leaves to common sense.
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
    ("General Definitions", "a client need not count on the line end: a message ends where its brace closes", scripted::line_ends_do_not_matter),
    ("General Definitions", "a monitor may be told to spread its messages over many lines", addresses::a_server_that_prints_prettily_is_understood),
    ("General Definitions", "text is UTF-8, or ASCII with escapes, both ways", real::text_beyond_ascii_goes_both_ways),
    ("General Definitions", "the members of an object come in any order", scripted::members_come_in_any_order),
    ("General Definitions", "the server takes single-quoted strings too, and so does a line of the shell", real::single_quotes_are_taken),

    ("Server Greeting", "the server speaks first: its version and its capabilities under `QMP`", real::each_server_greets_with_version_and_capabilities),
    ("Server Greeting", "the version is that of `query-version`", client::every_server_greets_and_answers_in_types),
    ("Server Greeting", "what greets otherwise is no QMP server, and is quoted", failures::what_greets_otherwise_is_quoted),
    ("Server Greeting", "ahead of it may come what the server owed to an earlier client", scripted::what_was_owed_to_an_earlier_client_is_passed_over),
    ("Server Greeting", "a version that is missing, or has another shape, costs no session", scripted::greetings_may_say_more_or_less),

    ("Capabilities", "capabilities are a list of names; of those, `oob` is known", real::each_server_greets_with_version_and_capabilities),
    ("Capabilities", "a name that is not known is passed over and not enabled", scripted::only_what_is_offered_and_known_is_enabled),

    ("Issuing Commands", "a command is `execute`, and `arguments` where there are any, and an `id`", scripted::a_command_is_spelled_as_the_specification_says),
    ("Issuing Commands", "an `id` may be any JSON value, and comes back as it was sent", real::ids_of_any_kind_come_back),
    ("Issuing Commands", "there is no member beside those: the server refuses one", real::another_member_is_refused),
    ("Issuing Commands", "several commands may be sent before the first is answered", client::replies_find_their_callers_and_those_that_nobody_waits_for_are_passed_over),
    ("Issuing Commands", "in band they are carried out, and answered, in their order", real::commands_in_band_are_answered_in_order),
    ("Issuing Commands", "a descriptor goes along with the message on a Unix socket", client::descriptors_pass_to_qemu),

    ("Out-of-band execution", "`exec-oob` in the place of `execute` asks for it", scripted::a_command_is_spelled_as_the_specification_says),
    ("Out-of-band execution", "only commands that introspection marks so allow it; others are refused", real::only_marked_commands_run_out_of_band),
    ("Out-of-band execution", "such a command overtakes those in band that are not done", real::a_command_out_of_band_overtakes),
    ("Out-of-band execution", "where it was not enabled it is refused", real::out_of_band_has_to_be_enabled),
    ("Out-of-band execution", "replies find their commands by `id`, for they may come in any order", client::replies_find_their_callers_and_those_that_nobody_waits_for_are_passed_over),
    ("Out-of-band execution", "with more than eight in band under way the server would read no further, so there are no more", client::eight_are_under_way_whoever_sends_and_what_is_out_of_band_overtakes_them),

    ("Commands Responses", "every command has one response, which is a success or an error", real::a_success_or_an_error_answers_each_command),
    ("Commands Responses", "a response that nobody waits for disturbs nothing", failures::odd_replies_neither_stop_a_script_nor_get_it_out_of_step),

    ("Success", "`return` is of any type: most often an object, also a list, a string, a number, null", client::values_of_any_type_come_as_the_server_spelled_them),
    ("Success", "a command that returns nothing returns an empty object", real::a_success_or_an_error_answers_each_command),

    ("Error", "an error has a class for programs and a description for people", real::errors_have_class_and_description),
    ("Error", "what could not be read is answered without an `id`", client::an_error_without_id_is_for_the_oldest_command_under_way),
    ("Error", "one bad message may be answered by several errors", real::one_bad_message_has_several_errors),
    ("Error", "so what a server could not read is not sent", client::a_request_that_a_server_could_not_read_is_not_sent),
    ("Error", "nor by a script", failures::what_the_server_would_answer_without_id_is_not_sent),

    ("Asynchronous events", "an event has a name, a time, and data where there are any", real::events_have_a_name_a_time_and_perhaps_data),
    ("Asynchronous events", "the time is seconds and microseconds since 1970; -1 where it could not be read", scripted::a_time_may_be_unknown),
    ("Asynchronous events", "events come at any time: between a command and its own reply", client::a_machine_is_stopped_reset_and_heard),
    ("Asynchronous events", "before the greeting, and before the end of the negotiation", python_compat::events_before_the_greeting_are_kept),
    ("Asynchronous events", "while we have more to send than the server has read", client_ends::a_server_that_talks_and_does_not_listen_is_heard_while_we_send),
    ("Asynchronous events", "and in any number", client_events::each_listener_hears_what_it_asked_for_in_order),

    ("Rate-limited events", "some come at most once a second, and then the last of them: none is to be counted", real::some_events_come_once_a_second_and_the_last_one_wins),

    ("Forcing the JSON parser into known-good state", "after half a message the server waits in silence; byte 0xFF makes it forget, for one error", real::a_mark_ends_half_a_message),
    ("Forcing the JSON parser into known-good state", "the same byte from a guest agent makes us forget", guest_agent::what_an_agent_still_had_to_say_is_passed_over),

    ("QGA Synchronization", "an agent does not greet, and may still have half a request of an earlier client", guest_agent::half_a_request_of_an_earlier_client_does_no_harm),
    ("QGA Synchronization", "the answer to `guest-sync-delimited` is the one that bears our number", guest_agent::an_answer_to_somebody_else_is_not_taken_for_ours),
    ("QGA Synchronization", "from then on it is a server like others", client::a_guest_agent_is_synchronised_with_and_then_a_server_like_others),

    ("QMP Examples", "stop, a query, a powerdown, a command that there is not: as shown there", real::the_examples_go_as_shown),

    ("Capabilities Negotiation", "before it no command but `qmp_capabilities` is carried out", real::before_the_negotiation_nothing_else_is_carried_out),
    ("Capabilities Negotiation", "it enables what the greeting offered and nothing else", scripted::only_what_is_offered_and_known_is_enabled),
    ("Capabilities Negotiation", "to enable what was not offered is an error, and the negotiation goes on", real::before_the_negotiation_nothing_else_is_carried_out),
    ("Capabilities Negotiation", "after it the command is refused, and nothing changes", real::there_is_one_negotiation),
    ("Capabilities Negotiation", "a server that refuses it is no server to talk to", scripted::a_refused_negotiation_is_an_error),
    ("Capabilities Negotiation", "a server that is just starting may greet again, and is negotiated with anew", client::a_second_greeting_is_answered_whatever_is_under_way),

    ("Compatibility Considerations", "members that are not known are passed over, in every kind of message", scripted::unknown_members_are_passed_over),
    ("Compatibility Considerations", "events, error classes and values that are not known are handed on", scripted::unknown_names_are_handed_on),
    ("Compatibility Considerations", "a message may be of any length", python_compat::a_reply_over_ten_megabytes_is_shown),
    ("Compatibility Considerations", "older servers and other servers speak the same", addresses::other_servers_are_served_as_well),

    ("Downstream extension of QMP", "names that begin with two underscores and a domain are names like others", scripted::names_of_downstream_are_names),

    ("(the end of a connection)", "a client may leave at any time; the machine goes on, and serves the next", real::a_client_may_leave_at_any_time),
    ("(the end of a connection)", "the server may leave at any time, also in the middle of a message", client_ends::the_server_may_leave_at_any_point),
    ("(the end of a connection)", "`quit` is answered, or the end comes in place of the answer", client_ends::quit_succeeds_with_its_answer_or_with_the_end_in_its_place),
];

/// Runs the tests of these sections, a few at a time; says of each statement that does not hold which it is.
fn hold(sections: &[&str]) {
    let rows: Vec<&Row> = TABLE.iter().filter(|(section, ..)| sections.contains(section)).collect();
    assert!(!rows.is_empty());
    let broken: Vec<String> = scope(|scope| {
        let running: Vec<_> =
            rows.iter().map(|(section, says, test)| (section, says, scope.spawn(move || catch_unwind(test)))).collect();
        let ended = running.into_iter().map(|(section, says, thread)| (section, says, thread.join()));
        ended
            .filter(|(_, _, end)| !matches!(end, Ok(Ok(()))))
            .map(|(section, says, _)| format!("{section}: {says}"))
            .collect()
    });
    assert!(broken.is_empty(), "what does not hold (see above why):\n{}", broken.join("\n"));
}

/// Every section is in one of these, so that none is left untested.
const PARTS: [&[&str]; 5] = [
    &["General Definitions", "Server Greeting", "Capabilities", "Capabilities Negotiation"],
    &["Issuing Commands", "Out-of-band execution"],
    &["Commands Responses", "Success", "Error", "Compatibility Considerations", "Downstream extension of QMP"],
    &["Asynchronous events", "Rate-limited events", "QMP Examples"],
    &["Forcing the JSON parser into known-good state", "QGA Synchronization", "(the end of a connection)"],
];

#[test]
fn a_session_begins_as_the_specification_says() {
    hold(PARTS[0]);
}

#[test]
fn commands_go_as_the_specification_says() {
    hold(PARTS[1]);
}

#[test]
fn responses_come_as_the_specification_says() {
    hold(PARTS[2]);
}

#[test]
fn events_come_as_the_specification_says() {
    hold(PARTS[3]);
}

#[test]
fn a_session_is_saved_and_ends_as_the_specification_says() {
    hold(PARTS[4]);
}

#[test]
fn every_section_has_statements_and_is_run() {
    for section in SECTIONS {
        assert!(TABLE.iter().any(|(of, ..)| of == section), "nothing holds us to `{section}`");
        assert!(PARTS.concat().contains(section), "`{section}` is not run");
    }
    for (section, says, _) in TABLE {
        assert!(SECTIONS.contains(section), "{section}: {says}");
    }
}
