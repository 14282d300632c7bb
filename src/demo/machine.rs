//! The machine: run state, clock, timers and the events it has caused; around it the block layer, the jobs, the tree.
//!
//! Pure: it is told the time ([`Machine::advance`]) and says when it wants to be told next ([`Machine::deadline`]).

use std::time::Duration;

use serde_json::json;

use super::blocks::Blocks;
use super::event::{DEVICE_DELETED, Event, POWERDOWN, RESET, RESUME, SHUTDOWN, STOP};
use super::jobs::Jobs;
use super::tree::{QomObject, Tree};

/// How many processors the machine has.
pub const CPUS: u64 = 2;

/// How long the guest takes to let go of a device.
const UNPLUG_TIME: Duration = Duration::from_millis(300);

/// How long the guest takes to power down.
const POWERDOWN_TIME: Duration = Duration::from_secs(1);

/// Something that will happen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Timer {
    /// The guest has let go of the device `name` under `parent`.
    Unplugged { parent: String, name: String },
    /// The guest has powered down.
    PoweredDown,
}

/// The machine.
pub struct Machine {
    /// Its block nodes and drives.
    pub blocks: Blocks,
    /// Its block jobs.
    pub jobs: Jobs,
    /// Its objects.
    pub tree: Tree,
    running: bool,
    ended: bool,
    now: Duration,
    timers: Vec<(Duration, Timer)>,
    events: Vec<Event>,
}

impl Machine {
    /// A running machine around its tree, without blocks and jobs.
    pub fn new(root: QomObject) -> Self {
        Machine {
            blocks: Blocks::default(),
            jobs: Jobs::default(),
            tree: Tree::new(root),
            running: true,
            ended: false,
            now: Duration::ZERO,
            timers: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The time since the machine's start, as last told.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Whether the guest runs.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the machine is over.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Stops the guest; nothing where it stands already.
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.running, false) {
            self.events.push(Event::bare(&STOP));
        }
    }

    /// Lets the guest go on; nothing where it runs already.
    pub fn resume(&mut self) {
        if !std::mem::replace(&mut self.running, true) {
            self.events.push(Event::bare(&RESUME));
        }
    }

    /// Resets the machine.
    pub fn reset(&mut self) {
        self.timers.retain(|(_, timer)| *timer != Timer::PoweredDown);
        self.events.push(Event::with(&RESET, json!({"guest": false, "reason": "host-qmp-system-reset"})));
    }

    /// Asks the guest to power down, which it does after a while. A guest that stands still does not hear it.
    pub fn power_down(&mut self) {
        self.events.push(Event::bare(&POWERDOWN));
        if self.running && !self.timers.iter().any(|(_, timer)| *timer == Timer::PoweredDown) {
            self.timers.push((self.now + POWERDOWN_TIME, Timer::PoweredDown));
        }
    }

    /// Ends the machine.
    pub fn quit(&mut self) {
        self.end(false, "host-qmp-quit");
    }

    /// Asks the guest to let go of the device `name` under `parent`; false where it was asked before.
    pub fn unplug(&mut self, parent: &str, name: &str) -> bool {
        let timer = Timer::Unplugged { parent: parent.to_owned(), name: name.to_owned() };
        if self.timers.iter().any(|(_, pending)| *pending == timer) {
            return false;
        }
        self.timers.push((self.now + UNPLUG_TIME, timer));
        true
    }

    /// Lets time pass, up to `now` since the machine's start.
    pub fn advance(&mut self, now: Duration) {
        if self.ended {
            return;
        }
        self.now = self.now.max(now);
        let waiting = std::mem::take(&mut self.timers);
        let (due, later) = waiting.into_iter().partition::<Vec<_>, _>(|(when, _)| *when <= self.now);
        self.timers = later;
        for (_, timer) in due {
            match timer {
                Timer::Unplugged { parent, name } => self.unplugged(&parent, &name),
                Timer::PoweredDown if self.running => self.end(true, "guest-shutdown"),
                Timer::PoweredDown => {}
            }
        }
        if !self.ended {
            self.jobs.tick(self.now);
        }
    }

    /// When [`Machine::advance`] is next due; `None` while nothing moves.
    pub fn deadline(&self) -> Option<Duration> {
        let timers = self.timers.iter().map(|(when, _)| *when);
        timers.chain(self.jobs.deadline()).min()
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.run_due_timers();
        std::mem::take(&mut self.events)
    }

    /// Takes over what the jobs have caused.
    fn run_due_timers(&mut self) {
        let out = self.jobs.collect();
        for pivot in out.pivots {
            self.blocks.pivot(&pivot.source, &pivot.target);
        }
        self.events.extend(out.events);
    }

    fn unplugged(&mut self, parent: &str, name: &str) {
        let path = format!("{parent}/{name}");
        let Ok(device) = self.tree.find(&path) else {
            return;
        };
        let backend = device.child("virtio-backend").map(|_| format!("{path}/virtio-backend"));
        self.tree.remove(parent, name);
        if let Some(backend) = backend {
            self.blocks.unplug(&backend);
            self.events.push(Event::with(&DEVICE_DELETED, json!({"path": backend})));
        }
        let named = parent == "/machine/peripheral";
        let data = if named { json!({"device": name, "path": path}) } else { json!({"path": path}) };
        self.events.push(Event::with(&DEVICE_DELETED, data));
    }

    fn end(&mut self, guest: bool, reason: &str) {
        if !std::mem::replace(&mut self.ended, true) {
            self.running = false;
            self.events.push(Event::with(&SHUTDOWN, json!({"guest": guest, "reason": reason})));
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
        machine.take_events().iter().map(|event| event.kind.name).collect()
    }

    #[test]
    fn stopping_and_going_on_tell_only_of_changes() {
        let mut machine = machine();
        machine.resume();
        machine.stop();
        machine.stop();
        machine.resume();
        assert_eq!(names(&mut machine), ["STOP", "RESUME"]);
    }

    #[test]
    fn a_guest_powers_down_after_a_second_unless_it_stands_still() {
        let mut machine = machine();
        machine.power_down();
        machine.power_down();
        assert_eq!(machine.deadline(), Some(POWERDOWN_TIME));
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
    fn devices_go_after_a_while() {
        let mut machine = machine();
        assert!(machine.unplug("/machine/peripheral", "net0"));
        assert!(!machine.unplug("/machine/peripheral", "net0"));
        machine.advance(Duration::from_millis(299));
        assert!(machine.tree.find("/machine/peripheral/net0").is_ok());
        machine.advance(Duration::from_millis(300));
        let events = machine.take_events();
        assert_eq!(events[0].data, Some(json!({"path": "/machine/peripheral/net0/virtio-backend"})));
        assert_eq!(events[1].data, Some(json!({"device": "net0", "path": "/machine/peripheral/net0"})));
        assert!(machine.tree.find("/machine/peripheral/net0").is_err());
        assert_eq!(machine.deadline(), None);
    }
}
