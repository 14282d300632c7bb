//! The editing mode that the user has chosen for programs with readline.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::super::settings::KeyMap;

/// The maximum number of bytes that are read of the file.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the editing mode in `$INPUTRC`, `~/.inputrc` or `/etc/inputrc`: the first of these files that exists.
pub(super) fn key_map() -> KeyMap {
    let own = std::env::var_os("INPUTRC").map(PathBuf::from);
    let home = || std::env::home_dir().map(|home| home.join(".inputrc"));
    let files = [own.or_else(home), Some(PathBuf::from("/etc/inputrc"))];
    let text = files.into_iter().flatten().find_map(|path| read(&path).ok());
    text.map_or(KeyMap::Emacs, |text| parse(&text))
}

fn read(path: &PathBuf) -> io::Result<String> {
    // A pipe might never end.
    if !path.is_file() {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the editing mode that the text of an `inputrc` sets. Lines below `$if` are for other programs.
fn parse(text: &str) -> KeyMap {
    let mut key_map = KeyMap::Emacs;
    let mut depth = 0_usize;
    for line in text.lines() {
        let words: Vec<String> = line.split_whitespace().map(str::to_lowercase).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["$if", ..] => depth += 1,
            ["$endif", ..] => depth = depth.saturating_sub(1),
            ["set", "editing-mode", mode, ..] if depth == 0 => {
                key_map = if mode == "vi" { KeyMap::Vi } else { KeyMap::Emacs };
            }
            _ => {}
        }
    }
    key_map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mode_outside_conditions_counts() {
        for (text, expected) in [
            ("", KeyMap::Emacs),
            ("set editing-mode vi\n", KeyMap::Vi),
            ("  SET Editing-Mode VI  \n", KeyMap::Vi),
            ("# set editing-mode vi\n", KeyMap::Emacs),
            ("set editing-mode vi\nset editing-mode emacs\n", KeyMap::Emacs),
            ("$if Bash\nset editing-mode vi\n$endif\n", KeyMap::Emacs),
            ("$if mode=vi\n$else\n$endif\n\nset editing-mode vi", KeyMap::Vi),
            ("set editing-mode", KeyMap::Emacs),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
