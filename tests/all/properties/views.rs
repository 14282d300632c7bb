//! The pictures of `.show`, the screen among them: any replies, any image.

use qmp_shell::monitor::SimulatedServer;
use qmp_shell::render::{Medium, Palette};
use qmp_shell::views;
use serde_json::Value;

use super::assertions;
use super::values::Values;

/// The input is a topic, and the values that the server replies with; for `screen` the image.
pub fn check(data: &[u8]) {
    let (topic, rest) = assertions::split_once(data, b'\n');
    let Some(topic) = assertions::text(topic) else { return };
    let (topic, argument) = topic.split_once(' ').map_or((topic, None), |(topic, rest)| (topic, Some(rest)));
    // An argument of `screen` would be a file.
    let argument = argument.filter(|_| topic != "screen");
    let replies = if topic == "screen" { Vec::new() } else { Values::new(rest).collect() };
    let mut server = SimulatedServer::new(replies, rest, b"");
    let Some(view) = views::simulate(topic, argument, &mut server) else { return };
    assert!(serde_json::from_str::<Value>(&view.json()).is_ok(), "the data is not JSON");
    for columns in [0, 7, 80] {
        let picture = view.draw(&Medium { palette: &Palette::new(false), columns });
        assertions::has_no_controls(&picture);
        let colored = view.draw(&Medium { palette: &Palette::new(true), columns });
        assertions::has_no_controls(&assertions::without_colors(&colored));
    }
}
