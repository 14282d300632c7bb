//! How the engine learns what the server knows, and lines are prepared by it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::assist::{NameKind, name_kind_of_key};
use crate::grammar::{Command, Diagnostic, JsonRequest, LineMode, Span, tokenize};
use crate::schema::{
    Builtin, PartialArguments, Schema, TypedRequest, TypingContext, builtin_of_property, check_action, nearest,
    request_of_command, request_of_json, request_of_transaction,
};
use crate::session::{Backlog, Received};
use crate::wire::{Incoming, Reply, ReplyBody, Request};

use super::Engine;
use super::exchange::reply_id;
use super::transaction::Block;
use crate::shell::output::{InputLine, Output};
use crate::shell::server_info::live_names::{items, live_request, one_argument, text};
use crate::shell::server_info::{LARGEST_ANSWER, Named};

/// How long a line may wait for introspection that its meaning needs. A server takes some 50 ms to make it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a server that is left may take to answer what it was asked in the background.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long one line may wait for what a property's type is.
const BLINK: Duration = Duration::from_millis(500);

impl Engine {
    /// Asks the server in the background for what completion and checking need, unless that was done.
    pub fn ask_names(&mut self) {
        if self.mode.no_schema {
            return;
        }
        let guest_agent = self.connection.options().guest_agent;
        let hmp = self.language == LineMode::Hmp;
        if let Some(session) = self.connection.session() {
            // A session that is at its end will be found so by the next to read from it.
            let _ = self.server_info.ask_schema(session, guest_agent);
            if hmp {
                let _ = self.server_info.ask_monitor(session);
            }
        }
    }

    /// Waits until `until` for the names that completing `line` needs.
    pub fn learn_names_for(&mut self, line: &str, until: Instant) {
        let own = line.trim_start().starts_with('.');
        let monitor = line.trim_start().starts_with(".hmp") || self.language == LineMode::Hmp && !own;
        self.ask_names();
        if let Some(session) = self.connection.session()
            && monitor
            && !self.mode.no_schema
        {
            let _ = self.server_info.ask_monitor(session);
        }
        self.wait_while(until, |engine| engine.server_info.is_waiting());
        // A server without introspection is asked for its names instead.
        self.ask_names();
        self.wait_while(until, |engine| engine.server_info.is_waiting());
    }

    /// Waits a little for answers that are still to come before a server is left: QEMU would give them to the next
    /// client, who might take them for the answers to requests of its own.
    pub fn finish_pending_queries(&mut self) {
        self.wait_while(Instant::now() + FAREWELL, |engine| engine.server_info.has_pending());
    }

    /// The server's introspection, waited for if need be. `None` where there is none, or it is not wanted; an error where
    /// the user gave up waiting.
    pub(crate) fn learn_schema(&mut self) -> Result<Option<Arc<Schema>>, Diagnostic> {
        self.ask_names();
        let ended = self.wait_while(Instant::now() + PATIENCE, |engine| engine.server_info.awaits_schema());
        if matches!(ended, Some(Received::Interrupted)) {
            let message = "given up while the server was asked for its introspection; nothing was sent";
            return Err(Diagnostic::new(Span::default(), message));
        }
        Ok(self.server_info.schema())
    }

    /// Takes answers to our questions while `needed`, until `until`; keeps everything else for the next to read. Returns
    /// what ended it early.
    fn wait_while(&mut self, until: Instant, needed: impl Fn(&Engine) -> bool) -> Option<Received> {
        let mut aside = Backlog::default();
        let mut ended = None;
        while needed(self)
            && let Some(session) = self.connection.session()
        {
            match session.receive(Some(until)) {
                Ok(Received::Message(Incoming::Reply(reply)))
                    if reply_id(&reply).is_some_and(|id| self.server_info.take_reply(id, &reply)) => {}
                Ok(end @ (Received::TimedOut | Received::Interrupted)) => {
                    ended = Some(end);
                    break;
                }
                Err(_) => break,
                Ok(item) => {
                    if !aside.keep(item) {
                        break;
                    }
                }
            }
        }
        if let Some(session) = self.connection.session() {
            session.requeue(aside);
        }
        ended
    }

    /// Asks a question of the shell's own and waits for the answer until `until`.
    fn query(&mut self, request: &Request, until: Instant) -> Option<Value> {
        if self.mode.no_schema {
            return None;
        }
        let session = self.connection.session()?;
        let id = session.is_writable(request).then(|| session.send(request))?.ok()?;
        let mut aside = Backlog::default();
        let mut answer = None;
        while let Some(session) = self.connection.session() {
            match session.receive(Some(until)) {
                Ok(Received::Message(Incoming::Reply(reply))) if reply_id(&reply) == Some(id) => {
                    if let ReplyBody::Return(raw) = reply.body()
                        && raw.len() <= LARGEST_ANSWER
                    {
                        answer = serde_json::from_str(raw).ok();
                    }
                    break;
                }
                Ok(Received::TimedOut | Received::Interrupted) | Err(_) => {
                    self.server_info.drop_answer(id);
                    break;
                }
                Ok(item) => {
                    if !aside.keep(item) {
                        self.server_info.drop_answer(id);
                        break;
                    }
                }
            }
        }
        if let Some(session) = self.connection.session() {
            session.requeue(aside);
        }
        answer
    }

    /// The request that a typed command means, by all that is known of the server.
    pub(crate) fn prepare(
        &mut self,
        command: &Command,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Request, Diagnostic> {
        let has_arguments = command.json.is_some() || !command.args.is_empty();
        // A bare name means what it says; a script does not wait for introspection to send it.
        let schema = if has_arguments || self.checks_all() { self.learn_schema()? } else { self.server_info.schema() };
        let extra = self.extra_types(command);
        let knowledge = TypingContext {
            schema: schema.as_deref(),
            undocumented_types: &extra,
            allow_invalid: !self.settings.check,
        };
        request_of_command(command, &knowledge).map(|prepared| self.warn(prepared, source, out))
    }

    /// The request that a pasted JSON object means. In a script it is sent as it is, for the server to judge.
    pub(crate) fn prepare_json(
        &mut self,
        json: &JsonRequest,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Request, Diagnostic> {
        let schema = if self.checks_all() { self.learn_schema()? } else { None };
        let extra = HashMap::new();
        let knowledge = TypingContext {
            schema: schema.as_deref(),
            undocumented_types: &extra,
            allow_invalid: !self.settings.check,
        };
        request_of_json(json, &knowledge).map(|prepared| self.warn(prepared, source, out))
    }

    /// One action of a transaction, checked while its line is in sight.
    pub(crate) fn check_action(
        &mut self,
        action: &Command,
        source: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<(), Diagnostic> {
        let schema = self.learn_schema()?;
        let extra = HashMap::new();
        let knowledge = TypingContext {
            schema: schema.as_deref(),
            undocumented_types: &extra,
            allow_invalid: !self.settings.check,
        };
        check_action(action, &knowledge).map(|prepared| drop(self.warn(prepared, source, out)))
    }

    /// The request of a finished transaction.
    pub(crate) fn prepare_transaction(&mut self, block: &Block<'_>) -> Result<Request, Diagnostic> {
        let schema = self.learn_schema()?;
        let extra = HashMap::new();
        let knowledge = TypingContext {
            schema: schema.as_deref(),
            undocumented_types: &extra,
            allow_invalid: !self.settings.check,
        };
        request_of_transaction(block.actions, block.properties, &knowledge).map(|prepared| prepared.request)
    }

    /// Whether every line is checked: where a person sees it, or nothing is sent.
    fn checks_all(&self) -> bool {
        self.mode.interactive || self.mode.dry_run
    }

    /// Gives each warning once.
    fn warn(&mut self, prepared: TypedRequest, source: &InputLine<'_>, out: &mut dyn Output) -> Request {
        for warning in prepared.warnings {
            if self.settings.check && self.warned.insert(warning.message.clone()) {
                out.warning(&warning.message, source);
            }
        }
        prepared.request
    }

    /// Types that introspection does not tell: of a device's properties, and of the one property that `qom-set` sets.
    fn extra_types(&mut self, command: &Command) -> HashMap<String, Builtin> {
        match command.name.as_str() {
            "device_add" => {
                let Some(driver) = command.text_of("driver") else { return HashMap::new() };
                let request = one_argument("device-list-properties", "typename", &driver);
                self.property_types(NameKind::DeviceProperties(driver), &request)
            }
            "qom-set" => {
                let (Some(path), Some(property)) = (command.text_of("path"), command.text_of("property")) else {
                    return HashMap::new();
                };
                let request = one_argument("qom-list", "path", &path);
                let types = self.property_types(NameKind::QomProperties(path), &request);
                types.get(&property).map(|kind| HashMap::from([("value".to_owned(), *kind)])).unwrap_or_default()
            }
            _ => HashMap::new(),
        }
    }

    /// Advice on an error reply, where we know more than the server says: the nearest name of what it did not find.
    pub(crate) fn hint(&mut self, request: &Request, reply: &Reply) -> Option<String> {
        let ReplyBody::Error { class, desc } = reply.body() else { return None };
        let near = if class == "CommandNotFound" {
            if self.mode.suggests_corrections {
                self.learn_names_for("", Instant::now() + BLINK);
            }
            let names = self.server_info.command_names();
            nearest(&request.command, names.iter().map(String::as_str)).map(str::to_owned)
        } else if self.mode.interactive || self.mode.suggests_corrections {
            self.nearest_live(request, desc)
        } else {
            None
        };
        near.map(|name| format!("did you mean `{name}`?"))
    }

    /// The nearest name that lives in the server to the argument that an error complains of.
    fn nearest_live(&mut self, request: &Request, desc: &str) -> Option<String> {
        let text = request.arguments.as_deref()?;
        let arguments: Value = serde_json::from_str(text).ok()?;
        let given = PartialArguments::of_words(text, &tokenize(text).words);
        for (key, value) in arguments.as_object()? {
            // A property that the device does not have.
            if request.command == "device_add"
                && desc.contains(&format!(".{key}' not found"))
                && let Some(driver) = given.text_at(&["driver"])
            {
                let names = self.live_names(&NameKind::DeviceProperties(driver), Instant::now() + BLINK);
                return nearest(key, names.iter().map(|(name, _)| name.as_str())).map(str::to_owned);
            }
            let Some(value) = value.as_str().filter(|value| !value.is_empty() && desc.contains(*value)) else {
                continue;
            };
            let Some(live) = name_kind_of_key(&request.command, key, &given) else { continue };
            let names = self.live_names(&live, Instant::now() + BLINK);
            let near = nearest(value, names.iter().map(|(name, _)| name.as_str()).filter(|name| *name != value));
            if let Some(near) = near {
                return Some(near.to_owned());
            }
        }
        None
    }

    fn property_types(&mut self, of: NameKind, request: &Request) -> HashMap<String, Builtin> {
        if let Some(known) = self.server_info.properties(&of) {
            return known.clone();
        }
        let Some(answer) = self.query(request, Instant::now() + BLINK) else { return HashMap::new() };
        let types: HashMap<String, Builtin> =
            items(&answer).filter_map(|item| Some((text(item, "name")?, builtin_of(item)?))).collect();
        self.server_info.keep_properties(of, types.clone());
        types
    }

    /// Names that live in the server, from memory or asked for until `until`. An answer that comes later is kept.
    pub(crate) fn live_names(&mut self, live: &NameKind, until: Instant) -> Vec<Named> {
        if self.mode.no_schema {
            return Vec::new();
        }
        if self.server_info.live(live).is_none() && !self.server_info.awaits_live(live) {
            let Some(session) = self.connection.session() else { return Vec::new() };
            if self.server_info.ask_live(session, &live_request(live), live).is_err() {
                return Vec::new();
            }
        }
        self.wait_while(until, |engine| engine.server_info.awaits_live(live));
        self.server_info.live(live).cloned().unwrap_or_default()
    }
}

/// The type of a property, from an item of what lists them.
fn builtin_of(item: &Value) -> Option<Builtin> {
    builtin_of_property(&text(item, "type")?, text(item, "description").as_deref())
}
