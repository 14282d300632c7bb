//! An image as text: each cell has two pixels, its foreground above its background.

use super::display::Colors;
use super::image::{Cells, Image};

/// The character whose upper half has the colour of the foreground.
const UPPER_HALF: char = '▀';

/// The values of each colour in the cube of the palette of 256 colours.
const CUBE_LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Draws an image in an area of cells.
pub(super) fn draw(image: &Image, cells: Cells, colors: Colors) -> String {
    let image = image.scaled(cells.columns, 2 * cells.rows);
    let mut text = String::new();
    for rows in image.pixels.chunks_exact(2 * image.width) {
        let (upper, lower) = rows.split_at(image.width);
        let mut last = None;
        for pixels in upper.iter().zip(lower) {
            if last != Some(pixels) {
                text += &format!("\x1b[38;{};48;{}m", code(*pixels.0, colors), code(*pixels.1, colors));
                last = Some(pixels);
            }
            text.push(UPPER_HALF);
        }
        text += "\x1b[0m\n";
    }
    text
}

/// Returns the part of an escape code that selects a colour.
fn code(pixel: [u8; 3], colors: Colors) -> String {
    match colors {
        Colors::TrueColor => format!("2;{};{};{}", pixel[0], pixel[1], pixel[2]),
        Colors::Palette256 => format!("5;{}", palette_index(pixel)),
    }
}

/// Returns the colour of the palette that is nearest: one of the cube, or one of the 24 shades of grey.
fn palette_index(pixel: [u8; 3]) -> u8 {
    let distance = |other: [u8; 3]| -> u32 {
        pixel.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
    };
    let nearest =
        |value: u8| (0..6_u8).min_by_key(|level| CUBE_LEVELS[usize::from(*level)].abs_diff(value)).unwrap_or(0);
    let cube = pixel.map(nearest);
    let cube_color = cube.map(|level| CUBE_LEVELS[usize::from(level)]);
    let mean = pixel.iter().map(|value| u32::from(*value)).sum::<u32>() / 3;
    // The shades are 8, 18, …, 238.
    let shade = (mean.saturating_sub(3) / 10).min(23) as u8;
    let shade_color = [8 + 10 * shade; 3];
    match distance(shade_color) < distance(cube_color) {
        true => 232 + shade,
        false => 16 + 36 * cube[0] + 6 * cube[1] + cube[2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_two_pixels() {
        let pixels = vec![[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 255], [1, 2, 3], [9, 9, 9], [0; 3], [255; 3]];
        let image = Image { width: 2, height: 4, pixels };
        let draw = |colors| draw(&image, Cells { columns: 2, rows: 2 }, colors).replace('\x1b', "^");
        assert_eq!(
            draw(Colors::TrueColor),
            "^[38;2;255;0;0;48;2;0;0;255m▀▀^[0m\n^[38;2;1;2;3;48;2;0;0;0m▀^[38;2;9;9;9;48;2;255;255;255m▀^[0m\n"
        );
        assert_eq!(
            draw(Colors::Palette256),
            "^[38;5;196;48;5;21m▀▀^[0m\n^[38;5;16;48;5;16m▀^[38;5;232;48;5;231m▀^[0m\n"
        );
    }

    #[test]
    fn every_colour_has_a_near_one() {
        for (pixel, index) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([128, 128, 128], 244),
            ([95, 135, 175], 67),
            ([238, 238, 238], 255),
        ] {
            assert_eq!(palette_index(pixel), index, "{pixel:?}");
        }
    }
}
