//! Requests for parsed lines, according to the server's introspection, and suggestions for error replies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::assist::{Name, NameKind, name_kinds_of_key};
use crate::grammar::{Command, Diagnostic, JsonRequest, Span, missing_key, tokenize};
use crate::schema::{
    PartialArguments, PropertyType, Schema, TypedRequest, TypingContext, action_type, check_action, line_of_request,
    nearest, request_of_command, request_of_json, request_of_transaction, with_positional_key,
};
use crate::session::Wait;
use crate::wire::{Reply, ReplyBody, Request};

use super::super::line::InputLine;
use super::super::output::Output;
use super::super::server::Server;
use super::Engine;
use super::exchange::StopReason;
use super::noncharacters::reject_noncharacters;
use super::transaction::ClosedBlock;
use super::value_hint::meant_argument;

/// The time after which a wait for an answer to a query is announced.
pub(super) const ANNOUNCEMENT_DELAY: Duration = Duration::from_secs(3);

/// The time after which a query is tried again that could not be sent, because the server was not reading.
const QUERY_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The time that the server may take to return the names for a suggestion.
const SUGGESTION_TIMEOUT: Duration = Duration::from_millis(500);

/// The hint for a block device whose set of descriptors has none that was opened as it needs it.
const FD_MODE_HINT: &str = "`.fd read-only PATH add-fd fdset-id=N` adds a file descriptor for `read-only=on`, \
                            `.fd read-write …` one for writing";

impl Engine {
    /// Returns the server's introspection, after waiting for it if necessary. `None` if there is none or it must not be
    /// used.
    pub(crate) fn wait_for_schema(&mut self, out: &mut dyn Output) -> Result<Option<Arc<Schema>>, Diagnostic> {
        self.wait_for_answer("introspection", out, |server| {
            server.start_queries(false);
            server.is_guest_agent || server.info.has_answered_introspection()
        })?;
        Ok(self.queryable_server().and_then(|server| server.info.schema()))
    }

    /// Returns the server's introspection if it arrives within `timeout`, for a hint that is not worth a longer wait.
    pub(crate) fn schema_within(&mut self, timeout: Duration) -> Option<Arc<Schema>> {
        let server = self.queryable_server()?;
        server.wait_for_queries(false, Instant::now() + timeout);
        server.info.schema()
    }

    /// Receives messages until `is_answered`, which also sends the query, and handles them. A line must not mean something
    /// else because the server is slow, so it is not sent without the answer. The wait is announced; Ctrl-C ends it.
    fn wait_for_answer(
        &mut self,
        subject: &str,
        out: &mut dyn Output,
        mut is_answered: impl FnMut(&mut Server) -> bool,
    ) -> Result<(), Diagnostic> {
        let start = Instant::now();
        let mut is_announced = false;
        let mut is_over = |engine: &mut Engine| engine.queryable_server().is_none_or(&mut is_answered);
        while !is_over(self) {
            if !is_announced && start.elapsed() >= ANNOUNCEMENT_DELAY {
                is_announced = true;
                out.show_notice(&format!("Waiting for the server's {subject}."));
            }
            if let Some(limit) = self.options.query_timeout.filter(|limit| start.elapsed() >= *limit) {
                let seconds = limit.as_secs_f64();
                let message = format!(
                    "the server did not send its {subject} within {seconds} s; nothing was sent, --no-schema sends without it"
                );
                return Err(Diagnostic::new(Span::default(), message));
            }
            let retry_at = Instant::now() + QUERY_RETRY_INTERVAL;
            match self.receive(None, Wait::Until(retry_at), out, |engine, _| is_over(engine)) {
                StopReason::Interrupted => {
                    let message = format!("cancelled while the server's {subject} was awaited; nothing was sent");
                    return Err(Diagnostic::new(Span::default(), message));
                }
                StopReason::Disconnected(disconnected) => self.disconnected_while_idle(&disconnected, out),
                StopReason::OutputFailed => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the introspection, if it has arrived.
    fn known_schema(&mut self) -> Option<Arc<Schema>> {
        self.connection.server().and_then(|server| server.info.schema())
    }

    /// Builds the request for a command with `KEY=VALUE` words.
    pub(crate) fn prepare(
        &mut self,
        command: &Command,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Request, Diagnostic> {
        self.warn(&command.warnings, line, out);
        let has_arguments = command.json.is_some() || command.positional.is_some() || !command.args.is_empty();
        // Without arguments, a script does not wait for introspection.
        let schema = if has_arguments || self.checks_all() { self.wait_for_schema(out)? } else { self.known_schema() };
        let info = schema.as_ref().and_then(|schema| schema.command(&command.name).map(|info| (schema, info)));
        let with_key = info.map(|(schema, info)| with_positional_key(command, schema, info.arguments));
        let command = with_key.as_deref().unwrap_or(command);
        let extra = self.undocumented_types(command, out)?;
        let context = self.typing_context(schema.as_deref(), &extra);
        request_of_command(command, &context).map(|typed| self.checked(typed, line, out))
    }

    /// Builds the request for a JSON object. In a script it is not checked here, but by the server.
    pub(crate) fn prepare_json(
        &mut self,
        json: &JsonRequest,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Request, Diagnostic> {
        let schema = if self.checks_all() { self.wait_for_schema(out)? } else { None };
        let extra = HashMap::new();
        let context = self.typing_context(schema.as_deref(), &extra);
        request_of_json(json, &context).map(|typed| self.checked(typed, line, out))
    }

    /// Rejects a request with a character that QEMU rejects.
    pub(crate) fn check_characters(&self, request: &Request, line: &str) -> Result<(), Diagnostic> {
        reject_noncharacters(request, line)
    }

    /// Rejects a first word without a key in an action that has no key for it.
    pub(crate) fn check_positional(&mut self, action: &Command, out: &mut dyn Output) -> Result<(), Diagnostic> {
        let Some(word) = &action.positional else { return Ok(()) };
        let schema = self.wait_for_schema(out)?;
        let data = schema.as_ref().and_then(|schema| Some((schema, action_type(schema, &action.name)?)));
        match data.map(|(schema, data)| with_positional_key(action, schema, data)) {
            Some(with_key) if with_key.positional.is_none() => Ok(()),
            _ => Err(missing_key(word)),
        }
    }

    /// Checks one action of a transaction.
    pub(super) fn check_action(
        &mut self,
        action: &Command,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<(), Diagnostic> {
        self.warn(&action.warnings, line, out);
        let schema = self.wait_for_schema(out)?;
        let extra = HashMap::new();
        let context = self.typing_context(schema.as_deref(), &extra);
        check_action(action, &context).map(|typed| drop(self.checked(typed, line, out)))
    }

    /// Builds the request for a complete transaction.
    pub(super) fn prepare_transaction(
        &mut self,
        block: &ClosedBlock<'_>,
        out: &mut dyn Output,
    ) -> Result<Request, Diagnostic> {
        let schema = self.wait_for_schema(out)?;
        let extra = HashMap::new();
        let context = self.typing_context(schema.as_deref(), &extra);
        request_of_transaction(block.actions, block.properties, &context).map(|typed| typed.request)
    }

    /// Returns whether the server has a QMP command. Without introspection, every name could be one.
    pub(crate) fn knows_command(&mut self, name: &str, out: &mut dyn Output) -> Result<bool, Diagnostic> {
        let schema = self.wait_for_schema(out)?;
        Ok(schema.is_none_or(|schema| schema.command(name).is_some()))
    }

    /// Returns a line of QMP mode that means the request.
    pub(crate) fn spell_request(&mut self, request: &Request) -> String {
        let schema = self.known_schema();
        line_of_request(request, &self.typing_context(schema.as_deref(), &HashMap::new()))
    }

    fn typing_context<'a>(
        &self,
        schema: Option<&'a Schema>,
        undocumented_types: &'a HashMap<String, PropertyType>,
    ) -> TypingContext<'a> {
        TypingContext { schema, undocumented_types, allow_invalid: !self.settings.check }
    }

    /// Returns whether every line is checked. Scripts that send requests leave some checks to the server.
    fn checks_all(&self) -> bool {
        self.options.interactive || self.options.dry_run
    }

    /// Shows the warnings of the check. Returns the request.
    fn checked(&mut self, typed: TypedRequest, line: &InputLine<'_>, out: &mut dyn Output) -> Request {
        if self.settings.check {
            self.warn(&typed.warnings, line, out);
        }
        typed.request
    }

    /// Shows the warnings that have not been shown.
    pub(crate) fn warn(&mut self, warnings: &[Diagnostic], line: &InputLine<'_>, out: &mut dyn Output) {
        for warning in warnings {
            if self.connection.record.shown_warnings.insert(warning.message.clone()) {
                out.show_warning(&warning.message, line);
            }
        }
    }

    /// Returns the types that introspection does not list: those of a device's properties, and that of the property
    /// that `qom-set` sets.
    fn undocumented_types(
        &mut self,
        command: &Command,
        out: &mut dyn Output,
    ) -> Result<HashMap<String, PropertyType>, Diagnostic> {
        match (command.name.as_str(), command.text_of("driver"), command.text_of("path"), command.text_of("property")) {
            ("device_add", Some(driver), ..) => self.property_types(&NameKind::DeviceProperties(driver), out),
            ("qom-set", _, Some(path), Some(property)) => {
                let types = self.property_types(&NameKind::QomProperties(path), out)?;
                let value = types.get(&property).map(|kind| ("value".to_owned(), *kind));
                Ok(value.into_iter().collect())
            }
            _ => Ok(HashMap::new()),
        }
    }

    /// Returns the types of the properties of a device type, or of the object at a path, after waiting for them if
    /// necessary.
    fn property_types(
        &mut self,
        kind: &NameKind,
        out: &mut dyn Output,
    ) -> Result<HashMap<String, PropertyType>, Diagnostic> {
        self.wait_for_answer("list of properties", out, |server| {
            server.query_property_types(kind);
            server.info.property_types(kind).is_some()
        })?;
        let types = self.queryable_server().and_then(|server| server.info.property_types(kind));
        Ok(types.cloned().unwrap_or_default())
    }

    /// Returns a suggestion for an error reply: the name nearest to the one that was not found.
    pub(super) fn error_hint(&mut self, request: &Request, reply: &Reply) -> Option<String> {
        let ReplyBody::Error { class, desc } = reply.body() else { return None };
        if desc.contains("file descriptor with matching flags") {
            return Some(FD_MODE_HINT.to_owned());
        }
        let deadline = Instant::now() + SUGGESTION_TIMEOUT;
        let suggests = self.options.suggests_corrections;
        let meant = meant_argument(request, desc);
        let near = if meant.is_some() {
            meant
        } else if class == "CommandNotFound" {
            if suggests && let Some(server) = self.queryable_server() {
                server.wait_for_queries(false, deadline);
            }
            let names = self.connection.server()?.info.command_names();
            // A server may refuse a command that it has, as for a client that may only ask.
            if names.contains(&request.command) {
                return None;
            }
            nearest(&request.command, names.iter().map(String::as_str)).map(str::to_owned)
        } else if self.options.interactive || suggests {
            self.nearest_live_name(request, desc, deadline)
        } else {
            None
        };
        near.map(|name| format!("did you mean `{name}`?"))
    }

    /// Returns the live name nearest to the argument that an error mentions.
    fn nearest_live_name(&mut self, request: &Request, desc: &str, deadline: Instant) -> Option<String> {
        let text = request.arguments.as_deref()?;
        let arguments: Value = serde_json::from_str(text).ok()?;
        let given = PartialArguments::of_words(text, &tokenize(text).words, None);
        for (key, value) in arguments.as_object()? {
            // A property that the device does not have.
            if request.command == "device_add"
                && desc.contains(&format!(".{key}' not found"))
                && let Some(driver) = given.text_at(&["driver"])
            {
                let names = self.live_names(&NameKind::DeviceProperties(driver), deadline);
                return nearest(key, names.iter().map(|name| name.text.as_str())).map(str::to_owned);
            }
            let Some(value) = value.as_str().filter(|value| !value.is_empty() && desc.contains(*value)) else {
                continue;
            };
            let kinds = name_kinds_of_key(&request.command, key, &given);
            let names: Vec<Name> = kinds.iter().flat_map(|kind| self.live_names(kind, deadline)).collect();
            let others = names.iter().map(|name| name.text.as_str()).filter(|name| *name != value);
            if let Some(near) = nearest(value, others) {
                return Some(near.to_owned());
            }
        }
        None
    }
}
