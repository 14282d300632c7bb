//! `.show screen`: the guest's screen, as an image in the terminal or as a file.
//!
//! The server writes the image in the format PPM, which all versions know: into a file in memory that is passed to it, or
//! else into a private folder of this host.

mod display;
mod graphics;
mod half_blocks;
mod image;

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::monitor::{Failure, PassedFile, QmpServer, ServerError, request};
use crate::render::printable;

use super::{Medium, View};
use image::Image;

pub use display::{Display, Graphics};

/// The maximum size of an image file: that of a screen of 8192 × 8192 pixels.
const MAX_IMAGE_BYTES: usize = 3 * 8192 * 8192 + 32;

/// The guest's screen.
#[derive(Debug, Serialize)]
pub(super) struct Screen {
    width: usize,
    height: usize,
    /// The file in which the image is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip)]
    image: Image,
    #[serde(skip)]
    display: Display,
}

/// Asks for the screen, and keeps the image in a file if there is a path.
pub(super) fn ask(server: &mut dyn QmpServer, path: Option<&str>, display: &Display) -> Result<Screen, Failure> {
    let format = path.map(FileFormat::of_path).transpose().map_err(Failure::error)?;
    let bytes = dump(server)?;
    let image = image::parse_ppm(&bytes).map_err(Failure::error)?;
    if let (Some(path), Some(format)) = (path, format) {
        let written = match format {
            FileFormat::Png => image.to_png().and_then(|png| fs::write(path, png)),
            FileFormat::Ppm => fs::write(path, &bytes),
        };
        written.map_err(|error| Failure::error(format!("cannot write `{path}`: {error}")))?;
    }
    let (width, height) = (image.width, image.height);
    Ok(Screen { width, height, file: path.map(str::to_owned), image, display: display.clone() })
}

/// Checks that the name of a file tells its format.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    FileFormat::of_path(path).map(|_| ())
}

/// The format of an image file.
#[derive(Debug, Clone, Copy)]
enum FileFormat {
    Png,
    Ppm,
}

impl FileFormat {
    fn of_path(path: &str) -> Result<FileFormat, String> {
        let extension = Path::new(path).extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("png") => Ok(FileFormat::Png),
            Some("ppm") => Ok(FileFormat::Ppm),
            _ => Err(format!("expected a file that ends in `.png` or `.ppm`, found `{path}`")),
        }
    }
}

/// Returns the image that the server writes.
fn dump(server: &mut dyn QmpServer) -> Result<Vec<u8>, Failure> {
    if server.can_receive_fds()
        && let Ok(file) = PassedFile::in_memory(server)
    {
        match dump_into(server, file) {
            // The server may not be able to open a descriptor by its name.
            Err(Failure::Error(error)) if is_about_file(&error) => {}
            result => return result,
        }
    }
    let result = dump_into(server, PassedFile::temporary()?);
    result.map_err(|failure| match failure {
        Failure::Error(error) if is_about_file(&error) => Failure::error(format!(
            "the server cannot hand over the image: it can write no file of this host, on which it may not run ({})",
            error.desc
        )),
        failure => failure,
    })
}

fn dump_into(server: &mut dyn QmpServer, file: PassedFile) -> Result<Vec<u8>, Failure> {
    let dumped = server.execute(&request("screendump", json!({ "filename": file.server_path })));
    let bytes = dumped.and_then(|_| file.read(MAX_IMAGE_BYTES + 1));
    file.remove(server);
    match bytes {
        Ok(bytes) if bytes.len() > MAX_IMAGE_BYTES => Err(Failure::error("the image is too large")),
        bytes => bytes,
    }
}

/// Returns whether an error is that a file cannot be opened or read.
fn is_about_file(error: &ServerError) -> bool {
    ["open", "create", "read"].iter().any(|word| error.desc.contains(word))
}

impl View for Screen {
    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn draw(&self, medium: &Medium<'_>) -> String {
        let kept = self.file.as_ref().map(|file| format!(", kept in {}", printable(file))).unwrap_or_default();
        let summary = format!("{} × {} pixels{kept}\n", self.width, self.height);
        if medium.is_file() || !medium.palette.is_colored() {
            let hint = "An image needs a terminal with colours; `.show screen FILE.png` keeps it.\n";
            return summary + if self.file.is_none() { hint } else { "" };
        }
        // The last row is for the prompt, and one for the summary.
        let rows = self.display.rows.saturating_sub(2);
        let cells = self.image.fit(medium.columns, rows);
        let picture = match self.display.graphics {
            Graphics::Kitty => self.image.to_png().map(|png| graphics::kitty(&png, cells)),
            Graphics::ITerm => self.image.to_png().map(|png| graphics::iterm(&png, cells)),
            Graphics::HalfBlocks(colors) => io::Result::Ok(half_blocks::draw(&self.image, cells, colors)),
        };
        picture.unwrap_or_default() + &summary
    }

    fn fits_screen(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::ScriptedServer;
    use super::*;
    use crate::render::Palette;

    #[test]
    fn a_file_has_a_format_that_is_known() {
        for (path, is_known) in [("a.png", true), ("/tmp/A.PPM", true), ("a", false), ("png", false), ("a.jpg", false)]
        {
            assert_eq!(FileFormat::of_path(path).is_ok(), is_known, "{path}");
        }
    }

    #[test]
    fn a_server_that_writes_nothing_is_told() {
        let mut server = ScriptedServer::default().reply("screendump", Value::Null);
        let failure = ask(&mut server, None, &Display::default()).unwrap_err();
        let text = failure.text();
        assert!(
            text.starts_with("Error: the server cannot hand over the image: it can write no file of this host"),
            "{text}"
        );
        let failure = ask(&mut server, Some("a.gif"), &Display::default()).unwrap_err();
        assert_eq!(failure.text(), "Error: expected a file that ends in `.png` or `.ppm`, found `a.gif`\n");
    }

    #[test]
    fn each_kind_of_terminal_gets_its_codes() {
        let image = image::parse_ppm(b"P6\n2 2\n255\n\xff\0\0\0\xff\0\0\0\xff\xff\xff\xff").unwrap();
        let screen = |graphics, file: Option<&str>| Screen {
            width: 2,
            height: 2,
            file: file.map(str::to_owned),
            image: image.clone(),
            display: Display { rows: 24, graphics },
        };
        let colored = Palette::new(true);
        let draw = |graphics, palette: &Palette| screen(graphics, None).draw(&Medium { palette, columns: 80 });
        assert!(draw(Graphics::Kitty, &colored).starts_with("\x1b_Ga=T,f=100,q=2,"));
        assert!(draw(Graphics::ITerm, &colored).starts_with("\x1b]1337;File=inline=1;"));
        assert!(draw(Graphics::default(), &colored).contains("▀"));
        let plain = draw(Graphics::Kitty, &Palette::default());
        assert!(plain.starts_with("2 × 2 pixels\nAn image needs"), "{plain}");
        let kept = screen(Graphics::Kitty, Some("a\x1b.png"));
        assert_eq!(kept.draw(&Medium::file(&colored)), "2 × 2 pixels, kept in a\\x1b.png\n");
        assert_eq!(kept.json(), r#"{"width":2,"height":2,"file":"a\u001b.png"}"#);
    }
}
