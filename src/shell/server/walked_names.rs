//! Names for which no query asks: buses and the network, found by a walk through the tree of objects.

use std::collections::HashSet;
use std::time::Instant;

use crate::assist::{Name, NameKind};
use crate::wire::Request;

use super::super::hmp::hmp_request;
use super::Server;

/// The query whose reply is the text of `info network`, in QEMU from 11.2 on.
const NETWORK_QUERY: &str = "x-query-network";

/// The folder of devices with an id.
const NAMED_DEVICES: &str = "/machine/peripheral/";

/// The property of a NIC that names its backend.
const BACKEND: &str = "netdev";

/// The maximum number of objects in a walk. A machine has hundreds; a server may describe a tree without end.
const MAX_WALKED_PARTS: usize = 20_000;

impl Server {
    /// Returns the query for the network, if there is one that may be sent.
    pub(super) fn network_query(&self, asks_monitor: bool) -> Option<Request> {
        if self.info.schema().is_some_and(|schema| schema.command(NETWORK_QUERY).is_some()) {
            return Some(Request::new(NETWORK_QUERY));
        }
        asks_monitor.then(|| hmp_request("info network", None))
    }

    /// Returns the buses that devices can be plugged into.
    pub(super) fn buses(&mut self, deadline: Instant) -> Vec<Name> {
        let mut types = texts(self.names_of_all(&[NameKind::BusTypes], deadline));
        // No device is plugged into the system bus by name.
        types.remove("System");
        let parts = self.machine_parts(deadline);
        let buses = parts.iter().filter(|part| types.contains(&part.description));
        sorted(buses.map(|bus| Name::new(last_component(&bus.text), &bus.description)).collect())
    }

    /// Returns the NICs and network backends that the tree of objects shows: backends only if a NIC uses them, NICs only
    /// if they have an id or a filter.
    pub(super) fn walked_network(&mut self, kind: &NameKind, deadline: Instant) -> Vec<Name> {
        let nics = self.nics(deadline);
        let text = |nic: &String| NameKind::QomText { path: nic.clone(), property: BACKEND.to_owned() };
        let mut names = self.names_of_all(&nics.iter().map(text).collect::<Vec<_>>(), deadline);
        if *kind == NameKind::NetClients {
            let ids = nics.iter().filter_map(|nic| nic.strip_prefix(NAMED_DEVICES));
            names.extend(ids.map(|id| Name::new(id, "nic")));
            names.extend(self.names_of_all(&[NameKind::FilteredNics], deadline));
        }
        sorted(names)
    }

    /// Returns the paths of the devices that can have a network backend.
    fn nics(&mut self, deadline: Instant) -> Vec<String> {
        let types = texts(self.names_of_all(&[NameKind::DeviceTypes], deadline));
        let mut paths = self.machine_parts(deadline);
        paths.retain(|part| types.contains(&part.description));
        let kinds: Vec<NameKind> = paths.iter().map(|part| NameKind::QomProperties(part.text.clone())).collect();
        // All at the same time here, and one by one below.
        self.names_of_all(&kinds, deadline);
        let mut is_nic = |kind: &NameKind| {
            let properties = self.names_of_all(std::slice::from_ref(kind), deadline);
            properties.iter().any(|property| property.text == BACKEND)
        };
        let nics = paths.into_iter().zip(&kinds).filter(|(_, kind)| is_nic(kind));
        nics.map(|(part, _)| part.text).collect()
    }

    /// Returns the objects of the machine that belong to devices, and the devices themselves, as paths with their types.
    fn machine_parts(&mut self, deadline: Instant) -> Vec<Name> {
        let devices = texts(self.names_of_all(&[NameKind::DeviceTypes], deadline));
        let has_parts = |part: &&Name| part.description == "container" || devices.contains(&part.description);
        let mut parts = Vec::new();
        let mut level = vec![NameKind::QomParts("/machine".to_owned())];
        while !level.is_empty() && parts.len() < MAX_WALKED_PARTS {
            let found = self.names_of_all(&level, deadline);
            level = found.iter().filter(has_parts).map(|part| NameKind::QomParts(part.text.clone())).collect();
            parts.extend(found);
        }
        parts
    }
}

fn texts(names: Vec<Name>) -> HashSet<String> {
    names.into_iter().map(|name| name.text).collect()
}

fn last_component(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns names sorted, and each once.
fn sorted(mut names: Vec<Name>) -> Vec<Name> {
    names.sort();
    names.dedup_by(|a, b| a.text == b.text);
    names
}
