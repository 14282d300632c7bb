//! Requests for parsed lines, according to the server's introspection, and suggestions for error replies.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::assist::{Name, NameKind, name_kinds_of_key};
use crate::grammar::{Command, Diagnostic, JsonRequest, Span, missing_key, tokenize};
use crate::schema::{
    Builtin, PartialArguments, Schema, TypedRequest, TypingContext, action_type, check_action, nearest,
    request_of_command, request_of_json, request_of_transaction, with_positional_key,
};
use crate::wire::{Reply, ReplyBody, Request};

use super::super::line::InputLine;
use super::super::output::Output;
use super::Engine;
use super::transaction::ClosedBlock;
use super::value_hint::meant_argument;

/// The time that the server may take to return the names for a suggestion.
const SUGGESTION_TIMEOUT: Duration = Duration::from_millis(500);

impl Engine {
    /// Returns the server's introspection, after waiting for it if necessary. `None` if there is none or it must not be
    /// used.
    pub(crate) fn wait_for_schema(&mut self) -> Result<Option<Arc<Schema>>, Diagnostic> {
        let Some(server) = self.queryable_server() else { return Ok(None) };
        server.wait_for_schema().map_err(|_interrupted| {
            let message = "cancelled while the server's introspection was being fetched; nothing was sent";
            Diagnostic::new(Span::default(), message)
        })
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
        let has_arguments = command.json.is_some() || command.positional.is_some() || !command.args.is_empty();
        // Without arguments, a script does not wait for introspection.
        let schema = if has_arguments || self.checks_all() { self.wait_for_schema()? } else { self.known_schema() };
        let info = schema.as_ref().and_then(|schema| schema.command(&command.name).map(|info| (schema, info)));
        let with_key = info.map(|(schema, info)| with_positional_key(command, schema, info.arguments));
        let command = with_key.as_deref().unwrap_or(command);
        let extra = self.undocumented_types(command);
        let context = self.typing_context(schema.as_deref(), &extra);
        request_of_command(command, &context).map(|typed| self.warn(typed, line, out))
    }

    /// Builds the request for a JSON object. In a script it is not checked here, but by the server.
    pub(super) fn prepare_json(
        &mut self,
        json: &JsonRequest,
        line: &InputLine<'_>,
        out: &mut dyn Output,
    ) -> Result<Request, Diagnostic> {
        let schema = if self.checks_all() { self.wait_for_schema()? } else { None };
        let extra = HashMap::new();
        let context = self.typing_context(schema.as_deref(), &extra);
        request_of_json(json, &context).map(|typed| self.warn(typed, line, out))
    }

    /// Rejects a first word without a key in an action that has no key for it.
    pub(crate) fn check_positional(&mut self, action: &Command) -> Result<(), Diagnostic> {
        let Some(word) = &action.positional else { return Ok(()) };
        let schema = self.wait_for_schema()?;
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
        let schema = self.wait_for_schema()?;
        let extra = HashMap::new();
        let context = self.typing_context(schema.as_deref(), &extra);
        check_action(action, &context).map(|typed| drop(self.warn(typed, line, out)))
    }

    /// Builds the request for a complete transaction.
    pub(super) fn prepare_transaction(&mut self, block: &ClosedBlock<'_>) -> Result<Request, Diagnostic> {
        let schema = self.wait_for_schema()?;
        let extra = HashMap::new();
        let context = self.typing_context(schema.as_deref(), &extra);
        request_of_transaction(block.actions, block.properties, &context).map(|typed| typed.request)
    }

    fn typing_context<'a>(
        &self,
        schema: Option<&'a Schema>,
        undocumented_types: &'a HashMap<String, Builtin>,
    ) -> TypingContext<'a> {
        TypingContext { schema, undocumented_types, allow_invalid: !self.settings.check }
    }

    /// Returns whether every line is checked. Scripts that send requests leave some checks to the server.
    fn checks_all(&self) -> bool {
        self.options.interactive || self.options.dry_run
    }

    /// Shows the warnings that have not been shown. Returns the request.
    fn warn(&mut self, typed: TypedRequest, line: &InputLine<'_>, out: &mut dyn Output) -> Request {
        for warning in typed.warnings {
            if self.settings.check && self.shown_warnings.insert(warning.message.clone()) {
                out.show_warning(&warning.message, line);
            }
        }
        typed.request
    }

    /// Returns the types that introspection does not list: those of a device's properties, and that of the property
    /// that `qom-set` sets.
    fn undocumented_types(&mut self, command: &Command) -> HashMap<String, Builtin> {
        let Some(server) = self.queryable_server() else { return HashMap::new() };
        match command.name.as_str() {
            "device_add" => match command.text_of("driver") {
                Some(driver) => server.property_types(NameKind::DeviceProperties(driver)),
                None => HashMap::new(),
            },
            "qom-set" => {
                let (Some(path), Some(property)) = (command.text_of("path"), command.text_of("property")) else {
                    return HashMap::new();
                };
                let types = server.property_types(NameKind::QomProperties(path));
                types.get(&property).map(|kind| HashMap::from([("value".to_owned(), *kind)])).unwrap_or_default()
            }
            _ => HashMap::new(),
        }
    }

    /// Returns a suggestion for an error reply: the name nearest to the one that was not found.
    pub(super) fn error_hint(&mut self, request: &Request, reply: &Reply) -> Option<String> {
        let ReplyBody::Error { class, desc } = reply.body() else { return None };
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
        let server = self.queryable_server()?;
        let text = request.arguments.as_deref()?;
        let arguments: Value = serde_json::from_str(text).ok()?;
        let given = PartialArguments::of_words(text, &tokenize(text).words, None);
        for (key, value) in arguments.as_object()? {
            // A property that the device does not have.
            if request.command == "device_add"
                && desc.contains(&format!(".{key}' not found"))
                && let Some(driver) = given.text_at(&["driver"])
            {
                let names = server.live_names(&NameKind::DeviceProperties(driver), deadline);
                return nearest(key, names.iter().map(|name| name.text.as_str())).map(str::to_owned);
            }
            let Some(value) = value.as_str().filter(|value| !value.is_empty() && desc.contains(*value)) else {
                continue;
            };
            let kinds = name_kinds_of_key(&request.command, key, &given);
            let names: Vec<Name> = kinds.iter().flat_map(|kind| server.live_names(kind, deadline)).collect();
            let others = names.iter().map(|name| name.text.as_str()).filter(|name| *name != value);
            if let Some(near) = nearest(value, others) {
                return Some(near.to_owned());
            }
        }
        None
    }
}
