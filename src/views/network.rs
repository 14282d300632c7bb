//! `.show network`: network cards and the back ends that they are connected to.
//!
//! QMP tells neither the types and options of back ends nor those without a card. The human monitor does, in a text that
//! is parsed where the server has one.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::monitor::text::{is_true, items, string};
use crate::monitor::{Failure, QmpServer, request};

use super::columns::{Column, Columns, Ink, Text};
use super::device_list::with_properties;
use super::{Medium, Picture};

const COLUMNS: &[Column] = &[
    Column::long("CARD"),
    Column::text("MODEL"),
    Column::text("MAC ADDRESS"),
    Column::number("QUEUES"),
    Column::text("MODE"),
    Column::long("BACK END"),
    Column::text("TYPE"),
    Column::long("OPTIONS"),
];

/// The query whose reply is the human monitor's text, in QEMU from 11.2 on.
const NETWORK_QUERY: &str = "x-query-network";

const HMP_COMMAND: &str = "human-monitor-command";

/// Before the back end of a card, and before the port of a hub.
const PEER_MARK: &str = " \\ ";

#[derive(Debug, Default, Serialize)]
pub(super) struct Network {
    cards: Vec<Card>,
    /// Back ends without a card.
    unconnected: Vec<Backend>,
    hubs: Vec<Hub>,
    missing: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Card {
    name: String,
    model: String,
    mac: String,
    queues: usize,
    /// Whether the guest receives all packets. `None` if the card does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    promiscuous: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<Backend>,
}

#[derive(Debug, Default, Clone, Serialize)]
struct Backend {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    options: String,
}

#[derive(Debug, Default, Serialize)]
struct Hub {
    name: String,
    ports: Vec<Port>,
}

#[derive(Debug, Default, Serialize)]
struct Port {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Backend>,
}

/// Asks for the network cards and the back ends.
pub(super) fn ask(server: &mut dyn QmpServer) -> Result<Network, Failure> {
    let mut network = match text(server)? {
        Some(text) => parse(&text),
        None => of_object_tree(server)?,
    };
    network.missing.push("QMP does not tell whether links are up.".to_owned());
    let filters = match server.has_command("query-rx-filter") {
        true => server.query(&request("query-rx-filter", Value::Null)),
        false => Ok(Value::Null),
    };
    let filters = match filters {
        Err(Failure::Error(_)) => Value::Null,
        filters => filters?,
    };
    let modes: HashMap<&str, bool> =
        items(&filters).iter().map(|filter| (string(filter, "name"), is_true(filter, "promiscuous"))).collect();
    network.cards.iter_mut().for_each(|card| card.promiscuous = modes.get(card.name.as_str()).copied());
    Ok(network)
}

/// Returns the human monitor's text, if the server has it.
fn text(server: &mut dyn QmpServer) -> Result<Option<String>, Failure> {
    let schema = server.schema();
    let has = |name: &str| schema.as_ref().is_none_or(|schema| schema.command(name).is_some());
    let queries = [(NETWORK_QUERY, Value::Null), (HMP_COMMAND, json!({ "command-line": "info network" }))];
    for (command, arguments) in queries.into_iter().filter(|(command, _)| has(command)) {
        match server.query(&request(command, arguments)) {
            Ok(reply) => {
                let text = reply.as_str().or_else(|| reply["human-readable-text"].as_str());
                return Ok(Some(text.unwrap_or_default().to_owned()));
            }
            Err(Failure::Error(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// Parses the human monitor's text.
fn parse(text: &str) -> Network {
    let mut network = Network::default();
    let mut is_in_hub = false;
    for line in text.lines().map(str::trim_end) {
        let peer = line.strip_prefix(PEER_MARK);
        if let Some(name) = line.strip_prefix("hub ") {
            is_in_hub = true;
            network.hubs.push(Hub { name: format!("hub {name}"), ports: Vec::new() });
        } else if let (Some(port), Some(hub), true) = (peer, network.hubs.last_mut(), is_in_hub) {
            let (name, client) = port.split_once(": ").unwrap_or((port, ""));
            let client = client_of(client).map(|client| client.backend);
            hub.ports.push(Port { name: name.to_owned(), client });
        } else if let Some(client) = client_of(peer.unwrap_or(line)) {
            is_in_hub = false;
            network.add(client, peer.is_some());
        }
    }
    network
}

/// One client of the network layer: a card or a back end, as its line tells.
struct Client {
    backend: Backend,
    model: String,
    mac: String,
}

/// Parses `NAME: index=0,type=TYPE,OPTIONS`.
fn client_of(line: &str) -> Option<Client> {
    let (name, rest) = line.split_once(": index=")?;
    let (_, rest) = rest.split_once(",type=")?;
    let (kind, options) = rest.split_once(',').unwrap_or((rest, ""));
    let option = |key: &str| options.split(',').find_map(|part| part.strip_prefix(key)).unwrap_or_default().to_owned();
    Some(Client {
        model: option("model="),
        mac: option("macaddr="),
        backend: Backend { name: name.to_owned(), kind: kind.to_owned(), options: options.to_owned() },
    })
}

impl Network {
    /// Adds a client. Each further queue of a card has lines of its own.
    fn add(&mut self, client: Client, is_peer: bool) {
        let Client { backend, model, mac } = client;
        if is_peer {
            if let Some(card) = self.cards.last_mut() {
                card.backend.get_or_insert(backend);
            }
        } else if backend.kind != "nic" {
            self.unconnected.push(backend);
        } else if let Some(card) = self.cards.last_mut().filter(|card| card.name == backend.name) {
            card.queues += 1;
        } else {
            self.cards.push(Card { name: backend.name, model, mac, queues: 1, ..Card::default() });
        }
    }
}

/// Returns the cards that are in the object tree.
fn of_object_tree(server: &mut dyn QmpServer) -> Result<Network, Failure> {
    let found = with_properties(server, &["mac", "netdev"])?;
    let cards = found.into_iter().map(|card| {
        let [mac, netdev] = [0, 1].map(|place| card.values.get(place).cloned().unwrap_or_default());
        let backend = Some(Backend { name: netdev, ..Backend::default() }).filter(|backend| !backend.name.is_empty());
        Card { name: card.name, model: card.kind, mac, queues: 1, backend, ..Card::default() }
    });
    let missing = "The server has no human monitor, which tells the types of back ends, and those without a card.";
    Ok(Network { cards: cards.collect(), missing: vec![missing.to_owned()], ..Network::default() })
}

impl Picture for Network {
    fn draw(&self, medium: &Medium<'_>) -> String {
        let mut columns = Columns::new(COLUMNS);
        let is_multi = self.cards.iter().any(|card| card.queues > 1);
        for card in &self.cards {
            let backend = card.backend.clone().unwrap_or_default();
            let no_backend = Text::new(Ink::Dim, "(none)");
            columns.push([
                Text::new(Ink::Name, &card.name),
                Text::plain(&card.model),
                Text::plain(&card.mac),
                Text::plain(&if is_multi { card.queues.to_string() } else { String::new() }),
                Text::plain(if card.promiscuous == Some(true) { "promiscuous" } else { "" }),
                if card.backend.is_some() { Text::new(Ink::Name, &backend.name) } else { no_backend },
                Text::plain(&backend.kind),
                Text::plain(&backend.options),
            ]);
        }
        let cells = |first: Text, backend: &Backend| {
            let last = [Text::new(Ink::Name, &backend.name), Text::plain(&backend.kind), Text::plain(&backend.options)];
            [first].into_iter().chain((0..4).map(|_| Text::default())).chain(last).collect::<Vec<_>>()
        };
        for backend in &self.unconnected {
            columns.push(cells(Text::new(Ink::Dim, "(no card)"), backend));
        }
        for hub in &self.hubs {
            columns.push_across(Text::new(Ink::Title, &hub.name));
            for port in &hub.ports {
                let name = Text::plain("port ").with(Ink::Name, &port.name);
                let nothing = Backend { options: "not connected".to_owned(), ..Backend::default() };
                columns.push(cells(name, port.client.as_ref().unwrap_or(&nothing)));
            }
        }
        if self.cards.is_empty() && self.unconnected.is_empty() && self.hubs.is_empty() {
            columns.push_across(Text::plain("The server has no network cards."));
            return columns.draw(medium);
        }
        columns.push_remarks(&self.missing);
        columns.draw(medium)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::ScriptedServer;

    #[test]
    fn the_text_of_the_human_monitor_is_parsed() {
        let text = "hub 0\r\n \\ h0\r\n \\ h1: n5: index=0,type=user,net=10.0.2.0,restrict=off\r\n\
                    lonely: index=0,type=tap,ifname=tap0\r\n\
                    e0: index=0,type=nic,model=e1000e,macaddr=52:54:00:12:34:56\r\n \
                    \\ n0: index=0,type=user,net=10.0.2.0,restrict=off\r\n\
                    v: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:57\r\n \\ t: index=0,type=tap,fd=3\r\n\
                    v: index=1,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:57\r\n \\ t: index=1,type=tap,fd=4\r\n\
                    bare\u{1b}: index=0,type=nic,model=x,macaddr=y\r\nnonsense\r\n";
        let mut server = ScriptedServer::default()
            .reply("human-monitor-command", json!(text))
            .reply("query-rx-filter", json!([{"name": "v", "promiscuous": true}]));
        expect_test::expect![[r#"
            CARD       MODEL           MAC ADDRESS        QUEUES  MODE         BACK END  TYPE  OPTIONS
            e0         e1000e          52:54:00:12:34:56       1               n0        user  net=10.0.2.0,res…
            v          virtio-net-pci  52:54:00:12:34:57       2  promiscuous  t         tap   fd=3
            bare\x1b   x               y                       1               (none)
            (no card)                                                          lonely    tap   ifname=tap0
            hub 0
            port h0                                                                            not connected
            port h1                                                            n5        user  net=10.0.2.0,res…
            QMP does not tell whether links are up.
        "#]]
        .assert_eq(&server.draw("network", None, 100));
        let mut server = ScriptedServer::default().reply("human-monitor-command", json!(""));
        expect_test::expect![[r#"
            The server has no network cards.
        "#]]
        .assert_eq(&server.draw("network", None, 100));
    }

    #[test]
    fn without_a_human_monitor_cards_come_from_the_object_tree() {
        let mut server = ScriptedServer::default()
            .reply(r#"qom-list {"path":"/machine/peripheral"}"#, json!([{"name": "e0", "type": "child<e1000>"}]))
            .reply(
                r#"qom-list {"path":"/machine/peripheral/e0"}"#,
                json!([
                    {"name": "mac", "type": "str"}, {"name": "netdev", "type": "str"},
                ]),
            )
            .reply(r#"qom-get {"path":"/machine/peripheral/e0","property":"mac"}"#, json!("52:54:00:12:34:56"))
            .reply(r#"qom-get {"path":"/machine/peripheral/e0","property":"netdev"}"#, json!("n0"))
            .reply("qom-list", json!([]));
        expect_test::expect![[r#"
            CARD  MODEL  MAC ADDRESS        BACK END
            e0    e1000  52:54:00:12:34:56  n0
            The server has no human monitor, which tells the types of back ends, and those without a card.
            QMP does not tell whether links are up.
        "#]]
        .assert_eq(&server.draw("network", None, 100));
    }
}
