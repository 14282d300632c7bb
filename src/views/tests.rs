//! A server for unit tests of views, with replies to each command, and tests of all views.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::monitor::{Failure, QmpServer, ServerError, hostile_replies};
use crate::render::{Palette, is_printable};
use crate::wire::Request;

use super::{Inquiry, Medium, TOPICS, View};

/// A server that knows the commands which it has replies to. The last reply to a command is given again.
#[derive(Default)]
pub(super) struct ScriptedServer {
    replies: HashMap<String, Vec<Value>>,
    /// The number of pauses so far.
    pub(super) pauses: usize,
    /// The reply to all other commands, if any.
    other: Option<Value>,
}

impl ScriptedServer {
    /// Creates a server that gives the same reply to everything.
    pub(super) fn always(reply: Value) -> ScriptedServer {
        ScriptedServer { other: Some(reply), ..ScriptedServer::default() }
    }

    /// Adds a reply to a command, with its arguments or without any.
    pub(super) fn reply(mut self, request: &str, value: Value) -> ScriptedServer {
        self.replies.entry(request.to_owned()).or_default().push(value);
        self
    }

    /// Returns the picture of a topic, without colours.
    pub(super) fn draw(&mut self, topic: &str, argument: Option<&str>, columns: usize) -> String {
        self.view(topic, argument).unwrap().draw(&Medium { palette: &Palette::default(), columns })
    }

    pub(super) fn view(&mut self, topic: &str, argument: Option<&str>) -> Result<Box<dyn View>, Failure> {
        let topic = TOPICS.iter().find(|known| known.name == topic).unwrap();
        (topic.run)(self, &Inquiry { argument, ..Inquiry::default() })
    }
}

impl QmpServer for ScriptedServer {
    fn query(&mut self, request: &Request) -> Result<Value, Failure> {
        let arguments = request.arguments.as_deref().unwrap_or_default();
        let whole = format!("{} {arguments}", request.command);
        let replies = self.replies.get_mut(whole.trim_end());
        let value = match replies {
            Some(replies) if replies.len() > 1 => Some(replies.remove(0)),
            Some(replies) => replies.first().cloned(),
            None => self.replies.get(&request.command).and_then(|replies| replies.first().cloned()),
        };
        let unknown = || ServerError {
            class: "CommandNotFound".to_owned(),
            desc: format!("the server has no QMP command `{}`", request.command),
        };
        value.or_else(|| self.other.clone()).ok_or_else(|| unknown().into())
    }

    fn execute(&mut self, request: &Request) -> Result<Value, Failure> {
        self.query(request)
    }

    fn pause(&mut self, _: Duration) -> Result<(), Failure> {
        self.pauses += 1;
        Ok(())
    }
}

#[test]
fn topics_are_sorted() {
    assert!(TOPICS.is_sorted_by_key(|topic| topic.name));
}

/// Returns a list of `count` objects, each with its own names, as items of all lists that views ask for.
fn long_list(count: usize) -> Value {
    let item = |number: usize| {
        let name = format!("n{number}");
        json!({
            "id": name, "device": name, "label": name, "name": name, "node-name": name, "qdev": name, "qom-path": name,
            "type": if number.is_multiple_of(4) { "child<x>" } else { "dimm" }, "status": "paused", "capability": name,
            "state": true, "props": {"core-id": number}, "data": {"memdev": name}, "inserted": {"node-name": name},
        })
    };
    (0..count).map(item).collect()
}

/// At this length, comparing each item with each of another list takes ten minutes in a test.
#[test]
fn long_lists_are_drawn_in_proportion_to_their_length() {
    for topic in ["blocks", "chardevs", "cpus", "jobs", "memory", "migration"] {
        let mut server = ScriptedServer::always(long_list(20_000))
            .reply("query-migrate", json!({}))
            // These walk the object tree.
            .reply("qom-list", json!([]))
            .reply("qom-get", json!("n1"));
        let picture = server.draw(topic, None, 80);
        assert!(topic == "migration" || picture.lines().count() >= 20_000, "{topic}");
    }
}

#[test]
fn items_that_are_not_objects_are_mentioned() {
    let list = json!([1, null, "x", [], {"label": "c0", "filename": "null", "frontend-open": true}]);
    let mut server = ScriptedServer::default().reply("query-chardev", list.clone()).reply("qom-list", json!([]));
    expect_test::expect![[r#"
        CHARDEV  BACK END  OPEN  USED BY
        c0       null      yes   a monitor, or another part of the server
        4 items of the reply to `query-chardev` are not objects.
    "#]]
    .assert_eq(&server.draw("chardevs", None, 90));
    for topic in ["blocks", "chardevs", "cpus", "jobs", "memory", "migration"] {
        let mut server = ScriptedServer::always(json!([1])).reply("query-migrate", json!({}));
        let picture = server.draw(topic, None, 90);
        assert!(picture.contains("An item of the reply to `query-"), "{topic}: {picture}");
        let Err(failure) = ScriptedServer::always(json!("x")).view(topic, None) else { panic!("{topic}") };
        assert!(failure.text().starts_with("Error: the reply to `query-"), "{failure:?}");
    }
}

#[test]
fn no_view_panics_at_any_reply() {
    let palette = Palette::default();
    for topic in TOPICS {
        for reply in hostile_replies() {
            let mut server = ScriptedServer::always(reply);
            let Ok(view) = (topic.run)(&mut server, &Inquiry::default()) else { continue };
            assert!(serde_json::from_str::<Value>(&view.json()).is_ok(), "{}", topic.name);
            for columns in [0, 1, 30, 80] {
                let picture = view.draw(&Medium { palette: &palette, columns });
                assert!(picture.lines().all(is_printable), "{}: {picture}", topic.name);
            }
        }
    }
}
