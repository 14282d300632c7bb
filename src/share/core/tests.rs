//! Tests of the state machine, with clients and a server that are texts.

use std::os::unix::net::UnixStream;

use super::*;
use crate::share::output::MAX_UNSENT_EVENT_BYTES;

const NEGOTIATE: &str = "{\"execute\": \"qmp_capabilities\"}";
const NEGOTIATE_OOB: &str = "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}";

/// A share. The ids of its requests are 1, 2, …, 9, 0, 1, ….
fn share_with(package: &str, has_log: bool) -> Share {
    let text = format!(
        "{{\"QMP\": {{\"version\": {{\"qemu\": {{\"micro\": 0, \"minor\": 0, \"major\": 10}}, \"package\": \"{package}\"}}, \
         \"capabilities\": [\"oob\"]}}}}"
    );
    let Ok(Message::Greeting(greeting)) = Message::parse(text.into_bytes()) else { panic!("no greeting") };
    Share::new(Upstream { greeting, can_pass_fds: true, ids: RequestIds::default() }, 0, has_log)
}

fn share() -> Share {
    share_with("", false)
}

impl Share {
    fn say(&mut self, client: ClientId, text: &str) {
        self.say_with_fds(client, text, Vec::new());
    }

    fn say_with_fds(&mut self, client: ClientId, text: &str, fds: Vec<OwnedFd>) {
        assert!(self.wants_input(client));
        self.receive(client, text.as_bytes().to_vec(), fds);
    }

    /// Connects a client that has negotiated.
    fn negotiated(&mut self, access: Access, request: &str) -> ClientId {
        let client = self.connect(access);
        self.say(client, request);
        self.heard(client);
        client
    }

    /// Returns the lines for a client, and removes them.
    fn heard(&mut self, client: ClientId) -> Vec<String> {
        let mut text = Vec::new();
        while self.has_output(client) {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = self.output(client, &mut slices);
            let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
            text.extend_from_slice(&bytes);
            self.advance_output(client, bytes.len());
        }
        let text = String::from_utf8(text).unwrap();
        assert!(text.is_empty() || text.ends_with("\r\n"), "{text}");
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the lines for the server, each with the number of its descriptors, and removes them.
    fn sent(&mut self) -> Vec<(String, usize)> {
        let mut lines = Vec::new();
        while let Some((bytes, fds)) = self.outgoing() {
            let line = (String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned(), fds.len());
            let len = bytes.len();
            self.advance_outgoing(len);
            lines.push(line);
        }
        lines
    }

    /// Returns the commands for the server and their ids, and removes them.
    fn commands(&mut self) -> Vec<String> {
        let short = |(line, _): (String, usize)| {
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            let name = value.get("execute").or(value.get("exec-oob")).unwrap().as_str().unwrap().to_owned();
            format!("{name} {}", value["id"])
        };
        self.sent().into_iter().map(short).collect()
    }

    fn server_says(&mut self, text: &str) {
        let item = Message::parse(text.as_bytes().to_vec()).map_or_else(StreamItem::NotQmp, StreamItem::Message);
        self.receive_item(item);
        self.deliver_events();
    }

    fn answer(&mut self, id: u64) {
        self.server_says(&format!("{{\"return\": {id}, \"id\": {id}}}"));
    }
}

fn request(name: &str, id: &str) -> String {
    format!("{{\"execute\": \"{name}\", \"id\": {id}}}")
}

#[test]
fn each_client_has_its_own_greeting_and_negotiation() {
    let mut share = share();
    let (one, two) = (share.connect(Access::Full), share.connect(Access::Full));
    assert!(share.heard(one)[0].starts_with("{\"QMP\": {\"version\": {\"qemu\": "));
    share.say(one, &request("stop", "1"));
    assert!(share.heard(one)[0].starts_with("{\"error\": {\"class\": \"CommandNotFound\""));
    share.say(one, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"none\"]}, \"id\": 2}");
    assert!(share.heard(one)[0].starts_with("{\"error\": {\"class\": \"GenericError\""));
    share.say(one, "{\"execute\": \"qmp_capabilities\", \"id\": 3}");
    assert_eq!(share.heard(one), ["{\"return\": {}, \"id\": 3}"]);
    share.say(one, NEGOTIATE);
    assert!(share.heard(one)[0].starts_with("{\"error\": {\"class\": \"CommandNotFound\""));
    // The other one has not negotiated, and gets no events either.
    share.server_says("{\"event\": \"STOP\"}");
    assert_eq!(share.heard(one), ["{\"event\": \"STOP\"}"]);
    assert_eq!(share.heard(two).len(), 1);
    assert!(share.sent().is_empty());
}

#[test]
fn replies_go_to_the_client_that_asked_with_its_id() {
    let mut share = share();
    let one = share.negotiated(Access::Full, NEGOTIATE);
    let two = share.negotiated(Access::Full, NEGOTIATE);
    share.say(one, &request("a", "[1, {\"x\": 1.0}]"));
    share.say(two, "{\"execute\": \"b\"}");
    assert_eq!(
        share.sent(),
        [("{\"execute\":\"a\",\"id\":1}".to_owned(), 0), ("{\"execute\":\"b\",\"id\":2}".to_owned(), 0)]
    );
    share.answer(2);
    share.answer(1);
    assert_eq!(share.heard(one), ["{\"return\": 1, \"id\": [1,{\"x\":1.0}]}"]);
    assert_eq!(share.heard(two), ["{\"return\": 2}"]);
    // Replies to no request.
    share.answer(1);
    share.server_says("{\"return\": {}, \"id\": 7}");
    assert!(share.heard(one).is_empty() && share.heard(two).is_empty());
}

#[test]
fn an_id_that_is_used_again_belongs_to_the_later_client() {
    let mut share = share();
    let one = share.negotiated(Access::Full, NEGOTIATE);
    let two = share.negotiated(Access::Full, NEGOTIATE);
    share.say(one, &request("a", "1"));
    for id in [2, 3, 4, 5, 6, 7, 8, 9, 0] {
        share.say(two, &request("b", "2"));
        share.answer(id);
    }
    share.heard(two);
    // A client leaves before its reply, whose id is not used until then.
    share.disconnect(one);
    share.commands();
    share.say(two, &request("c", "3"));
    assert_eq!(share.commands(), ["c 2"]);
    share.answer(1);
    for id in [2, 3, 4, 5, 6, 7, 8, 9, 0] {
        share.answer(id);
        share.say(two, &request("d", "4"));
    }
    assert_eq!(share.commands().last().unwrap(), "d 1");
    share.heard(two);
    share.answer(1);
    assert_eq!(share.heard(two), ["{\"return\": 1, \"id\": 4}"]);
}

#[test]
fn replies_are_in_the_order_of_the_requests() {
    let mut share = share();
    let client = share.negotiated(Access::Full, NEGOTIATE);
    share.say(client, &[request("a", "1").as_str(), "oops ", &request("b", "2"), "{\"x\": 1}"].concat());
    assert!(share.heard(client).is_empty());
    share.answer(1);
    share.answer(2);
    let heard = share.heard(client);
    assert_eq!((heard[0].as_str(), heard[2].as_str()), ("{\"return\": 1, \"id\": 1}", "{\"return\": 2, \"id\": 2}"));
    assert!(heard[1].contains("`oops`") && !heard[1].contains("\"id\"") && heard[3].contains("'x'"));
}

#[test]
fn clients_take_turns() {
    let mut share = share();
    let greedy = share.negotiated(Access::Full, NEGOTIATE);
    let modest = share.negotiated(Access::Full, NEGOTIATE);
    share.say(greedy, &request("g", "0").repeat(100));
    // Some of the eight are left for others.
    assert_eq!(share.commands().len(), 4);
    assert!(!share.wants_input(greedy), "what it sends is not read until it is served");
    share.say(modest, &request("m", "0").repeat(100));
    assert_eq!(share.commands(), ["m 5", "m 6", "m 7", "m 8"]);
    for id in (1..=16).map(|n| n % 10) {
        share.answer(id);
    }
    let names: String = share.commands().iter().map(|command| command[..1].to_owned()).collect();
    assert_eq!(names.matches('g').count(), names.matches('m').count(), "{names}");
    // A third one waits for those in flight, not for those that are queued.
    let third = share.negotiated(Access::Full, NEGOTIATE);
    share.say(third, &request("t", "0"));
    share.answer(7);
    share.answer(8);
    assert!(share.commands().iter().any(|command| command.starts_with('t')));
}

/// Many clients that may only ask must not delay one that may execute all commands.
#[test]
fn clients_of_full_access_have_every_other_turn() {
    let mut share = share();
    let watchers: Vec<ClientId> = (0..50).map(|_| share.negotiated(Access::ReadOnly, NEGOTIATE)).collect();
    for watcher in &watchers {
        share.say(*watcher, &request("query-name", "0").repeat(8));
    }
    assert_eq!(share.commands().len(), 4);
    let operator = share.negotiated(Access::Full, NEGOTIATE);
    share.say(operator, &request("stop", "0").repeat(6));
    assert_eq!(share.commands(), ["stop 5", "stop 6", "stop 7", "stop 8"]);
    (1..=4).for_each(|id| share.answer(id));
    let commands = share.commands();
    let names: Vec<&str> = commands.iter().filter_map(|command| command.split(' ').next()).collect();
    assert_eq!(names, ["query-name"; 4], "the operator has four in flight");
    (5..=8).for_each(|id| share.answer(id));
    assert_eq!(share.commands(), ["stop 3", "stop 4"]);
    // Nor do they wait for clients that have nothing to send.
    [9, 0, 1, 2, 3, 4].into_iter().for_each(|id| share.answer(id));
    assert_eq!(share.commands().len(), 4);
    // Nor can they overtake.
    let watcher = share.negotiated(Access::ReadOnly, NEGOTIATE_OOB);
    share.say(watcher, "{\"exec-oob\": \"query-name\", \"id\": 1}");
    assert!(share.heard(watcher)[0].contains("read-only clients cannot execute commands out of band"));
}

#[test]
fn a_server_that_takes_one_request_gets_one() {
    let mut share = share_with("qemu-10.0.0", false);
    let client = share.negotiated(Access::Full, NEGOTIATE);
    share.say(client, &request("a", "0").repeat(3));
    assert_eq!(share.commands(), ["a 1"]);
    share.answer(1);
    assert_eq!(share.commands(), ["a 2"]);
    // An out-of-band request would be the second one.
    let other = share.negotiated(Access::Full, NEGOTIATE_OOB);
    share.say(other, "{\"exec-oob\": \"o\", \"id\": 1}");
    assert!(share.commands().is_empty());
    share.answer(2);
    let next = share.commands();
    share.answer(3);
    assert_eq!([next, share.commands()].concat().len(), 2);
}

#[test]
fn out_of_band_requests_overtake_if_they_are_enabled() {
    let mut share = share();
    let client = share.negotiated(Access::Full, NEGOTIATE_OOB);
    share.say(client, &(request("a", "0").repeat(8) + "{\"exec-oob\": \"o\", \"id\": \"oob\"}"));
    let commands = share.commands();
    assert_eq!(commands[..3], ["a 1", "o 2", "a 3"]);
    share.answer(2);
    assert_eq!(share.heard(client), ["{\"return\": 2, \"id\": \"oob\"}"]);
    let other = share.negotiated(Access::Full, NEGOTIATE);
    share.say(other, "{\"exec-oob\": \"o\", \"id\": 1}");
    assert!(share.heard(other)[0].contains("'exec-oob' is unexpected"));
    assert!(share.commands().is_empty());
}

#[test]
fn descriptors_go_with_the_command_that_takes_them() {
    let mut share = share();
    let one = share.negotiated(Access::Full, NEGOTIATE);
    let two = share.negotiated(Access::Full, NEGOTIATE);
    let fd = || OwnedFd::from(UnixStream::pair().unwrap().0);
    // Sent ahead of the command, with another one.
    share.say_with_fds(one, &request("a", "1"), vec![fd()]);
    share.say(two, &request("getfd", "1"));
    assert!(share.heard(two)[0].contains("no file descriptor was passed"));
    share.say(one, &request("getfd", "2"));
    assert_eq!(share.sent().iter().map(|(_, fds)| *fds).collect::<Vec<_>>(), [0, 1]);
    // While one is in flight, the next waits: QEMU keeps only the last one that it reads.
    share.say_with_fds(two, &request("add-fd", "2"), vec![fd(), fd()]);
    share.say(one, &request("b", "3"));
    assert_eq!(share.commands(), ["b 3"]);
    share.answer(1);
    share.answer(2);
    assert_eq!(share.sent(), [("{\"execute\":\"add-fd\",\"id\":4}".to_owned(), 2)]);
    share.answer(3);
    share.say(one, &request("getfd", "4"));
    assert!(share.heard(one).last().unwrap().contains("no file descriptor was passed"));
}

#[test]
fn newer_descriptors_replace_older_ones_and_end_with_their_client() {
    let mut share = share();
    let client = share.negotiated(Access::Full, NEGOTIATE);
    let (mut first, mut second) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    share.say_with_fds(client, " ", vec![first.0.into()]);
    share.say_with_fds(client, " ", vec![second.0.into()]);
    let is_closed = |other: &mut UnixStream| {
        other.set_nonblocking(true).unwrap();
        std::io::Read::read(other, &mut [0]).is_ok()
    };
    assert!(is_closed(&mut first.1) && !is_closed(&mut second.1));
    share.disconnect(client);
    assert!(is_closed(&mut second.1));
}

#[test]
fn a_client_that_leaves_takes_nothing_along() {
    let mut share = share();
    let leaving = share.negotiated(Access::Full, NEGOTIATE);
    let staying = share.negotiated(Access::Full, NEGOTIATE);
    share.say(leaving, &(request("a", "0").repeat(6) + "{\"execute\": \"half"));
    share.say(staying, &request("b", "0").repeat(6));
    assert_eq!(share.commands().len(), 8);
    share.disconnect(leaving);
    for id in 1..=8 {
        share.answer(id);
    }
    // What it had queued is forgotten.
    assert_eq!(share.commands(), ["b 9", "b 0"]);
    share.answer(9);
    share.answer(0);
    assert_eq!(share.heard(staying).len(), 6);
    assert_eq!(share.in_flight, 0);
}

#[test]
fn a_client_that_ends_its_input_gets_its_replies() {
    let mut share = share();
    let client = share.negotiated(Access::Full, NEGOTIATE);
    share.say(client, &request("a", "0").repeat(2));
    share.end_input(client);
    share.answer(1);
    share.heard(client);
    assert!(!share.is_done(client));
    share.answer(2);
    assert!(!share.is_done(client));
    share.heard(client);
    assert!(share.is_done(client));
}

#[test]
fn a_client_that_does_not_read_is_held_back_and_then_cut_off() {
    let mut share = share();
    let slow = share.negotiated(Access::Full, NEGOTIATE);
    let fast = share.negotiated(Access::Full, NEGOTIATE);
    share.say(slow, &request("a", "0").repeat(3));
    let large = format!("{{\"return\": \"{}\", \"id\": ID}}", "x".repeat(20 << 20));
    share.server_says(&large.replace("ID", "1"));
    // A large reply does not get it cut off, but it is not served until it has read that.
    assert!(!share.wants_input(slow) && share.take_cut_off().is_empty());
    let event = format!("{{\"event\": \"E\", \"data\": \"{}\"}}", "x".repeat(1 << 20));
    let event = StreamItem::Message(Message::parse(event.into_bytes()).unwrap());
    for _ in 0..MAX_UNSENT_EVENT_BYTES >> 20 {
        share.receive_item(event.clone());
        share.deliver_events();
        share.heard(fast);
    }
    assert_eq!(share.take_cut_off(), [slow]);
    assert!(!share.wants_input(slow) && share.wants_input(fast));
}

#[test]
fn a_request_without_an_end_is_cut_short() {
    let mut share = share();
    let client = share.negotiated(Access::ReadOnly, NEGOTIATE);
    share.say(client, &format!("{{\"execute\": \"{}", "x".repeat(1 << 16)));
    assert!(share.heard(client)[0].contains("longer than 65536 bytes"));
    assert!(share.is_done(client) && !share.wants_input(client));
}

#[test]
fn read_only_clients_only_ask_and_get_no_secrets() {
    let mut share = share();
    let client = share.negotiated(Access::ReadOnly, NEGOTIATE_OOB);
    share.say(
        client,
        &[&request("quit", "1"), "{\"exec-oob\": \"yank\", \"id\": 2}", &request("query-block", "3")].concat(),
    );
    assert_eq!(share.commands(), ["query-block 1"]);
    let heard = share.heard(client);
    assert_eq!(heard.len(), 2, "out of band at once, and in order");
    share.server_says("{\"return\": [{\"file\": \"https://u:hunter2@h/x\"}], \"id\": 1}");
    assert_eq!(share.heard(client), ["{\"return\": [{\"file\": \"<secret>\"}], \"id\": 3}"]);
}

#[test]
fn errors_without_an_id_belong_to_the_oldest_request() {
    let mut share = share();
    let client = share.negotiated(Access::Full, NEGOTIATE);
    share.say(client, &request("a", "1"));
    share.server_says("{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}");
    assert_eq!(share.heard(client), ["{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}, \"id\": 1}"]);
}

#[test]
fn negotiates_again_with_a_server_that_greets_twice() {
    let mut share = share();
    let client = share.negotiated(Access::Full, NEGOTIATE);
    share.server_says("{\"QMP\": {\"version\": null, \"capabilities\": [\"oob\"]}}");
    let sent = share.commands();
    let id = sent[0].strip_prefix("qmp_capabilities ").unwrap();
    share.answer(id.parse().unwrap());
    assert!(share.heard(client).is_empty());
}

#[test]
fn records_have_clients_and_no_secrets() {
    let mut share = share_with("", true);
    let client = share.negotiated(Access::Full, NEGOTIATE);
    share.take_records();
    share.say(
        client,
        "{'execute': 'set_password', 'arguments': {'protocol': 'vnc', 'password': 'hunter2'}, 'id': 'a'} !hunter2\n",
    );
    share.server_says("{\"event\": \"E\"}");
    share.server_says("{\"error\": {\"class\": \"GenericError\", \"desc\": \"not hunter2\"}, \"id\": 1}");
    let records: Vec<String> = share.take_records().iter().map(Record::to_members).collect();
    assert_eq!(
        records,
        [
            "\"client\": 1, \"sent\": {\"execute\": \"set_password\", \"arguments\": {\"protocol\": \"vnc\", \"password\": \
             \"<secret>\"}, \"id\": \"a\"}",
            "\"client\": 1, \"unreadable\": true",
            "\"received\": {\"event\": \"E\"}",
            "\"client\": 1, \"received\": {\"error\": {\"class\": \"GenericError\", \"desc\": \"not <secret>\"}, \"id\": \"a\"}",
        ]
    );
}
