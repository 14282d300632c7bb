//! Escape codes that show an image in terminals which can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::image::Cells;

/// The maximum length of the data in one escape code of kitty's protocol.
const KITTY_CHUNK_BYTES: usize = 4096;

/// Returns the codes of kitty's graphics protocol. The terminal does not answer them.
pub(super) fn kitty(png: &[u8], cells: Cells) -> String {
    let data = STANDARD.encode(png);
    let mut text = String::with_capacity(data.len() + data.len() / 64);
    let mut rest = data.as_str();
    let mut keys = format!("a=T,f=100,q=2,c={},r={},", cells.columns, cells.rows);
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(rest.len().min(KITTY_CHUNK_BYTES));
        text += &format!("\x1b_G{keys}m={};{chunk}\x1b\\", u8::from(!more.is_empty()));
        keys.clear();
        rest = more;
    }
    text + "\n"
}

/// Returns the code of iTerm2's inline images.
pub(super) fn iterm(png: &[u8], cells: Cells) -> String {
    let Cells { columns, rows } = cells;
    let size = png.len();
    let data = STANDARD.encode(png);
    format!("\x1b]1337;File=inline=1;size={size};width={columns};height={rows};preserveAspectRatio=1:{data}\x07\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_data_is_sent_in_pieces() {
        let png: Vec<u8> = (0..7000).map(|index| index as u8).collect();
        let text = kitty(&png, Cells { columns: 80, rows: 20 });
        let codes: Vec<&str> = text.trim_end().split("\x1b\\").filter(|code| !code.is_empty()).collect();
        assert_eq!(codes.len(), 3);
        assert!(codes[0].starts_with("\x1b_Ga=T,f=100,q=2,c=80,r=20,m=1;"));
        assert!(codes[1].starts_with("\x1b_Gm=1;") && codes[2].starts_with("\x1b_Gm=0;"));
        let data: String = codes.iter().map(|code| code.split_once(';').unwrap().1).collect();
        assert_eq!(STANDARD.decode(data).unwrap(), png);
    }

    #[test]
    fn inline_images_have_their_size() {
        let text = iterm(&[1, 2, 3], Cells { columns: 80, rows: 20 });
        assert_eq!(text, "\x1b]1337;File=inline=1;size=3;width=80;height=20;preserveAspectRatio=1:AQID\x07\n");
    }
}
