//! Images: reading PPM, writing PNG, scaling.

use std::io;

/// An image of red, green and blue, 8 bits each, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<[u8; 3]>,
}

/// The cells of a terminal that an image takes. A cell is twice as high as it is wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Parses an image in the format PPM, as QEMU writes it: binary, 8 bits a colour, without comments.
pub(super) fn parse_ppm(bytes: &[u8]) -> Result<Image, String> {
    let invalid = || "the server's image is not a PPM file".to_owned();
    let mut rest = bytes.strip_prefix(b"P6").ok_or_else(invalid)?;
    let mut number = || {
        let start = rest.iter().position(|byte| !byte.is_ascii_whitespace()).filter(|start| *start > 0)?;
        let digits = rest[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&rest[start..start + digits]).ok()?;
        rest = &rest[start + digits..];
        text.parse::<usize>().ok()
    };
    let [width, height, max] = [number(), number(), number()].map(|number| number.ok_or_else(invalid));
    let (width, height, max) = (width?, height?, max?);
    let [separator, data @ ..] = rest else { return Err(invalid()) };
    if !separator.is_ascii_whitespace() || max != 255 || width == 0 || height == 0 {
        return Err(invalid());
    }
    let length = width.checked_mul(height).and_then(|count| count.checked_mul(3));
    if length != Some(data.len()) {
        let found = data.len();
        return Err(format!("the server's image of {width} × {height} pixels is not complete: {found} bytes"));
    }
    let pixels = data.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Ok(Image { width, height, pixels })
}

impl Image {
    /// Returns the image as a PNG file.
    pub(super) fn to_png(&self) -> io::Result<Vec<u8>> {
        let mut file = Vec::new();
        let too_large = |_| io::Error::other("the image is too large");
        let (width, height) = (u32::try_from(self.width), u32::try_from(self.height));
        let mut encoder = png::Encoder::new(&mut file, width.map_err(too_large)?, height.map_err(too_large)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        writer.finish()?;
        Ok(file)
    }

    /// Returns the largest area of at most so many columns and rows that has the shape of the image.
    pub(super) fn fit(&self, max_columns: usize, max_rows: usize) -> Cells {
        let (max_columns, max_rows) = (max_columns.max(1), max_rows.max(1));
        // The rows of an image as wide as the window, rounded.
        let rows = (max_columns * self.height + self.width) / (2 * self.width);
        if rows <= max_rows {
            return Cells { columns: max_columns, rows: rows.max(1) };
        }
        let columns = (2 * max_rows * self.width + self.height / 2) / self.height;
        Cells { columns: columns.clamp(1, max_columns), rows: max_rows }
    }

    /// Returns the image in another size. Each pixel is the mean of those that it stands for.
    pub(super) fn scaled(&self, width: usize, height: usize) -> Image {
        let (width, height) = (width.max(1), height.max(1));
        // The range of the old pixels that a new one stands for, at least one.
        let range = |new: usize, new_size: usize, old_size: usize| {
            let start = new * old_size / new_size;
            start..((new + 1) * old_size / new_size).max(start + 1)
        };
        let mut pixels = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let mut sums = [0_u64; 3];
                let mut count = 0;
                for old_row in range(row, height, self.height) {
                    let columns = range(column, width, self.width);
                    let start = old_row * self.width;
                    for pixel in &self.pixels[start + columns.start..start + columns.end] {
                        sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
                        count += 1;
                    }
                }
                pixels.push(sums.map(|sum| (sum / count) as u8));
            }
        }
        Image { width, height, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize) -> Image {
        let pixels = (0..width * height).map(|index| [index as u8, (index / width) as u8, 7]).collect();
        Image { width, height, pixels }
    }

    #[test]
    fn only_whole_ppm_files_are_read() {
        let image = parse_ppm(b"P6\n2 1\n255\nabcdef").unwrap();
        assert_eq!((image.width, image.height, image.pixels), (2, 1, vec![*b"abc", *b"def"]));
        for (bytes, error) in [
            (&b""[..], "not a PPM file"),
            (b"P5\n2 1\n255\nabcdef", "not a PPM file"),
            (b"P62 1\n255\nabcdef", "not a PPM file"),
            (b"P6\n2 1\n256\nabcdef", "not a PPM file"),
            (b"P6\n0 1\n255\n", "not a PPM file"),
            (b"P6\n# comment\n2 1\n255\nabcdef", "not a PPM file"),
            (b"P6\n99999999999999999999 1\n255\n", "not a PPM file"),
            (b"P6\n2 1\n255", "not a PPM file"),
            (b"P6\n2 1\n255\nabcde", "2 × 1 pixels is not complete: 5 bytes"),
            (b"P6\n2 1\n255\nabcdefg", "not complete"),
            (b"P6\n9999999999 9999999999\n255\nabc", "not complete"),
        ] {
            let found = parse_ppm(bytes).unwrap_err();
            assert!(found.contains(error), "{found}");
        }
    }

    #[test]
    fn a_png_file_has_the_same_pixels() {
        let image = gradient(33, 5);
        let png = image.to_png().unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (33, 5));
        assert_eq!(pixels, image.pixels.as_flattened());
    }

    #[test]
    fn an_image_fits_the_window_with_its_shape() {
        for (size, window, cells) in [
            ((640, 480), (80, 22), (59, 22)),
            ((640, 480), (200, 100), (200, 75)),
            ((720, 400), (80, 22), (80, 22)),
            ((1, 5000), (80, 22), (1, 22)),
            ((5000, 1), (80, 22), (80, 1)),
            ((640, 480), (0, 0), (1, 1)),
        ] {
            let image = Image { width: size.0, height: size.1, pixels: Vec::new() };
            let found = image.fit(window.0, window.1);
            assert_eq!((found.columns, found.rows), cells, "{size:?}");
        }
    }

    #[test]
    fn scaling_takes_means() {
        let image = Image { width: 2, height: 2, pixels: vec![[0; 3], [100; 3], [50; 3], [250; 3]] };
        assert_eq!(image.scaled(1, 1).pixels, [[100; 3]]);
        assert_eq!(image.scaled(2, 2), image);
        assert_eq!(image.scaled(4, 2).pixels[..4], [[0; 3], [0; 3], [100; 3], [100; 3]]);
        assert_eq!(gradient(640, 480).scaled(80, 44).pixels.len(), 80 * 44);
    }
}
