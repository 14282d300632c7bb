//! Views for `.show`: pictures, and data, of what takes several replies of the server.
//!
//! Pure, but for the file of `screen`: the server is asked through `QmpServer`. A view is a function that asks and returns
//! its data, a plain type that serde serialises, and a function that draws that data. Each module may use those listed
//! before it:
//!
//! | module | owns |
//! |---|---|
//! | `branch` | the lines of trees |
//! | `ask` | queries of which a server may lack some |
//! | `device_list` | the devices with certain properties |
//! | `blocks`, `chardevs`, `cpus`, `devices`, `jobs`, `memory`, `migration`, `network`, `qom`, `screen` | one topic each |

mod ask;
mod blocks;
mod branch;
mod chardevs;
mod cpus;
mod device_list;
mod devices;
mod jobs;
mod memory;
mod migration;
mod network;
mod qom;
mod screen;

use serde::Serialize;

use crate::monitor::{Failure, QmpServer, SimulatedServer};
use crate::render::{Medium, columns, units};

pub use screen::{Display, Graphics};

/// The data of a view, and its picture.
pub trait View {
    /// Returns the data as JSON.
    fn json(&self) -> String;
    /// Returns the picture, lines with their ends. It is safe for a terminal.
    fn draw(&self, medium: &Medium<'_>) -> String;
    /// Returns whether the picture is made for the window, and must not go through the pager.
    fn fits_screen(&self) -> bool {
        false
    }
}

/// Data that can be drawn.
trait Picture: Serialize {
    fn draw(&self, medium: &Medium<'_>) -> String;
}

impl<T: Picture> View for T {
    fn json(&self) -> String {
        // Fails only for maps whose keys are not text, which no view has.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn draw(&self, medium: &Medium<'_>) -> String {
        Picture::draw(self, medium)
    }
}

/// A topic of `.show`.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    /// Its argument; empty if it takes none. It is optional.
    pub(crate) argument: &'static str,
    /// Checks the argument. The error says what was expected.
    pub(crate) check: fn(&str) -> Result<(), String>,
    pub(crate) summary: &'static str,
    pub(crate) run: Run,
}

/// A function that asks the server for the data of a view.
pub(crate) type Run = fn(&mut dyn QmpServer, &Inquiry<'_>) -> Result<Box<dyn View>, Failure>;

/// The wish to see a topic.
#[derive(Debug, Default)]
pub(crate) struct Inquiry<'a> {
    pub(crate) argument: Option<&'a str>,
    /// The terminal on which images are shown.
    pub(crate) display: Display,
}

/// All topics, by name.
pub(crate) const TOPICS: &[Topic] = &[
    Topic {
        name: "blocks",
        argument: "",
        check: |_| Ok(()),
        summary: "block nodes as trees below the devices: sizes, bitmaps, jobs, exports",
        run: |server, _| boxed(blocks::ask(server)),
    },
    Topic {
        name: "chardevs",
        argument: "",
        check: |_| Ok(()),
        summary: "character devices, and what uses them",
        run: |server, _| boxed(chardevs::ask(server)),
    },
    Topic {
        name: "cpus",
        argument: "",
        check: |_| Ok(()),
        summary: "CPUs by their places, with host threads, and free places",
        run: |server, _| boxed(cpus::ask(server)),
    },
    Topic {
        name: "devices",
        argument: "",
        check: |_| Ok(()),
        summary: "buses and devices as a tree: addresses, and what they use",
        run: |server, _| boxed(devices::ask(server)),
    },
    Topic {
        name: "jobs",
        argument: "",
        check: |_| Ok(()),
        summary: "jobs with their progress, rate and time left",
        run: |server, _| boxed(jobs::ask(server)),
    },
    Topic {
        name: "memory",
        argument: "",
        check: |_| Ok(()),
        summary: "the guest's memory: devices, slots and back ends",
        run: |server, _| boxed(memory::ask(server)),
    },
    Topic {
        name: "migration",
        argument: "",
        check: |_| Ok(()),
        summary: "the migration: progress, rates, times, capabilities",
        run: |server, _| boxed(migration::ask(server)),
    },
    Topic {
        name: "network",
        argument: "",
        check: |_| Ok(()),
        summary: "network cards, and the back ends they are connected to",
        run: |server, _| boxed(network::ask(server)),
    },
    Topic {
        name: "qom",
        argument: "[PATH]",
        check: |_| Ok(()),
        summary: "an object with its values, and the objects in it",
        run: |server, inquiry| qom::ask(server, inquiry.argument).map(|tree| Box::new(tree) as Box<dyn View>),
    },
    Topic {
        name: "screen",
        argument: "[FILE.png]",
        check: screen::check_path,
        summary: "the guest's screen, as an image in the terminal or a file",
        run: |server, inquiry| {
            let screen = screen::ask(server, inquiry.argument, &inquiry.display)?;
            Ok(Box::new(screen) as Box<dyn View>)
        },
    },
];

/// Returns the data of a view, whatever its type.
fn boxed<T: View + 'static>(result: Result<T, Failure>) -> Result<Box<dyn View>, Failure> {
    result.map(|view| Box::new(view) as Box<dyn View>)
}

/// Runs a topic on a simulated server, for fuzzing. `None` if the topic is unknown or fails.
pub fn simulate(topic: &str, argument: Option<&str>, server: &mut SimulatedServer) -> Option<Box<dyn View>> {
    let topic = TOPICS.iter().find(|known| known.name == topic)?;
    (topic.run)(server, &Inquiry { argument, ..Inquiry::default() }).ok()
}

#[cfg(test)]
mod tests;
