//! The machine: run state, timers and pending events, with the block graph, the jobs and the object tree.
//!
//! Must not know about the clock: the caller passes the time to [`Machine::advance`], at the latest at
//! [`Machine::deadline`].

use std::time::Duration;

use serde_json::json;

use super::block_graph::BlockGraph;
use super::event::{DEVICE_DELETED, Event, POWERDOWN, RESET, RESUME, SHUTDOWN, STOP};
use super::job::Pivot;
use super::jobs::Jobs;
use super::qom_tree::{QomObject, QomTree};

pub const CPU_COUNT: u64 = 2;

/// The parent of devices with an id.
pub const PERIPHERAL: &str = "/machine/peripheral";

/// The parent of devices without an id.
pub const PERIPHERAL_ANON: &str = "/machine/peripheral-anon";

/// The time that the guest takes to release a device.
const UNPLUG_DELAY: Duration = Duration::from_millis(300);

/// The time that the guest takes to power down.
const POWERDOWN_DELAY: Duration = Duration::from_secs(1);

/// A delayed action of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
enum GuestAction {
    /// Releases the device `name` under `parent`.
    ReleaseDevice {
        parent: String,
        name: String,
    },
    PowerDown,
}

pub struct Machine {
    pub block_graph: BlockGraph,
    pub jobs: Jobs,
    pub qom_tree: QomTree,
    is_running: bool,
    has_ended: bool,
    /// Time since the start.
    now: Duration,
    /// Actions with their times.
    timers: Vec<(Duration, GuestAction)>,
    events: Vec<Event>,
}

impl Machine {
    /// Creates a running machine without block nodes and jobs.
    pub fn new(root: QomObject) -> Self {
        Machine {
            block_graph: BlockGraph::default(),
            jobs: Jobs::default(),
            qom_tree: QomTree::new(root),
            is_running: true,
            has_ended: false,
            now: Duration::ZERO,
            timers: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Returns the time since the start, as of the last [`Machine::advance`].
    pub fn now(&self) -> Duration {
        self.now
    }

    pub fn is_running(&self) -> bool {
        self.is_running
    }

    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Stops the guest if it is running.
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.is_running, false) {
            self.events.push(Event::without_data(&STOP));
        }
    }

    /// Resumes the guest if it is stopped.
    pub fn resume(&mut self) {
        if !std::mem::replace(&mut self.is_running, true) {
            self.events.push(Event::without_data(&RESUME));
        }
    }

    pub fn reset(&mut self) {
        self.timers.retain(|(_, action)| *action != GuestAction::PowerDown);
        self.events.push(Event::with_data(&RESET, json!({"guest": false, "reason": "host-qmp-system-reset"})));
    }

    /// Asks the guest to power down, which it does after a delay. A stopped guest ignores it.
    pub fn power_down(&mut self) {
        self.events.push(Event::without_data(&POWERDOWN));
        if self.is_running && !self.timers.iter().any(|(_, action)| *action == GuestAction::PowerDown) {
            self.timers.push((self.now + POWERDOWN_DELAY, GuestAction::PowerDown));
        }
    }

    pub fn quit(&mut self) {
        self.end(false, "host-qmp-quit");
    }

    /// Asks the guest to release the device `name` under `parent`. Returns false if it was asked before.
    pub fn unplug(&mut self, parent: &str, name: &str) -> bool {
        let action = GuestAction::ReleaseDevice { parent: parent.to_owned(), name: name.to_owned() };
        if self.timers.iter().any(|(_, pending)| *pending == action) {
            return false;
        }
        self.timers.push((self.now + UNPLUG_DELAY, action));
        true
    }

    /// Executes the actions that are due at `now`, the time since the start.
    pub fn advance(&mut self, now: Duration) {
        if self.has_ended {
            return;
        }
        self.now = self.now.max(now);
        let timers = std::mem::take(&mut self.timers);
        let (due, later) = timers.into_iter().partition::<Vec<_>, _>(|(time, _)| *time <= self.now);
        self.timers = later;
        for (_, action) in due {
            match action {
                GuestAction::ReleaseDevice { parent, name } => self.remove_device(&parent, &name),
                GuestAction::PowerDown if self.is_running => self.end(true, "guest-shutdown"),
                GuestAction::PowerDown => {}
            }
        }
        if !self.has_ended {
            self.jobs.tick(self.now);
        }
    }

    /// Returns the time at which [`Machine::advance`] is due next; `None` if nothing is pending.
    pub fn deadline(&self) -> Option<Duration> {
        let timers = self.timers.iter().map(|(time, _)| *time);
        timers.chain(self.jobs.deadline()).min()
    }

    /// Takes the events since the last call, and applies finished mirrors to the block graph.
    pub fn take_events(&mut self) -> Vec<Event> {
        let effects = self.jobs.take_effects();
        for Pivot { source, target } in effects.pivots {
            self.block_graph.pivot(&source, &target);
        }
        self.events.extend(effects.events);
        std::mem::take(&mut self.events)
    }

    fn remove_device(&mut self, parent: &str, name: &str) {
        let path = format!("{parent}/{name}");
        let Ok(device) = self.qom_tree.find(&path) else {
            return;
        };
        let backend = device.child("virtio-backend").map(|_| format!("{path}/virtio-backend"));
        self.qom_tree.remove_child(parent, name);
        if let Some(backend) = backend {
            self.block_graph.remove_drive(&backend);
            self.events.push(Event::with_data(&DEVICE_DELETED, json!({"path": backend})));
        }
        let has_id = parent == PERIPHERAL;
        let data = if has_id { json!({"device": name, "path": path}) } else { json!({"path": path}) };
        self.events.push(Event::with_data(&DEVICE_DELETED, data));
    }

    fn end(&mut self, guest: bool, reason: &str) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.is_running = false;
            self.events.push(Event::with_data(&SHUTDOWN, json!({"guest": guest, "reason": reason})));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let mut device = QomObject::new("virtio-net-pci");
        device.add_child("virtio-backend", QomObject::new("virtio-net-device"));
        let mut peripheral = QomObject::new("container");
        peripheral.add_child("net0", device);
        let mut machine = QomObject::new("machine");
        machine.add_child("peripheral", peripheral);
        let mut root = QomObject::new("container");
        root.add_child("machine", machine);
        Machine::new(root)
    }

    fn names(machine: &mut Machine) -> Vec<&'static str> {
        machine.take_events().iter().map(|event| event.event_type.name).collect()
    }

    #[test]
    fn sends_events_only_when_the_run_state_changes() {
        let mut machine = machine();
        machine.resume();
        machine.stop();
        machine.stop();
        machine.resume();
        assert_eq!(names(&mut machine), ["STOP", "RESUME"]);
    }

    #[test]
    fn powers_down_after_a_delay_unless_stopped() {
        let mut machine = machine();
        machine.power_down();
        machine.power_down();
        assert_eq!(machine.deadline(), Some(POWERDOWN_DELAY));
        machine.stop();
        machine.advance(Duration::from_secs(1));
        assert!(!machine.has_ended());
        machine.resume();
        machine.power_down();
        machine.take_events();
        machine.advance(Duration::from_secs(2));
        assert_eq!(names(&mut machine), ["SHUTDOWN"]);
        assert!(machine.has_ended());
    }

    #[test]
    fn removes_a_device_after_a_delay() {
        let mut machine = machine();
        assert!(machine.unplug("/machine/peripheral", "net0"));
        assert!(!machine.unplug("/machine/peripheral", "net0"));
        machine.advance(Duration::from_millis(299));
        assert!(machine.qom_tree.find("/machine/peripheral/net0").is_ok());
        machine.advance(Duration::from_millis(300));
        let events = machine.take_events();
        assert_eq!(events[0].data, Some(json!({"path": "/machine/peripheral/net0/virtio-backend"})));
        assert_eq!(events[1].data, Some(json!({"device": "net0", "path": "/machine/peripheral/net0"})));
        assert!(machine.qom_tree.find("/machine/peripheral/net0").is_err());
        assert_eq!(machine.deadline(), None);
    }
}
