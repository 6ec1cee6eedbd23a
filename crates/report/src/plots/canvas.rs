//! A drawing as a list of shapes, painted alike into SVG and PNG.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage, imageops};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, ShapeStyle, TextStyle, register_font,
};
use zsad_core::{Error, Result, file};

use super::pdf;
use super::style::{Format, Style};

/// Pixels of a PNG, and units of an SVG, to a unit of the drawing.
const SCALE: f64 = 2.0;
/// A PNG is painted so much larger and then reduced, which smooths its edges.
const OVERSAMPLING: f64 = 2.0;
const MM_PER_INCH: f64 = 25.4;
/// Pixels an inch of a PNG whose width on paper is known.
const PNG_DPI: f64 = 300.0;
/// The bundled fonts.
pub(super) const NORMAL: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
pub(super) const BOLD: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.ttf");
/// The name is a CSS list for those who open the SVG; plotters finds the bundled font under the whole of it.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// Height of DejaVu Sans in em, which plotters takes for the size of a bitmap font.
const BITMAP_EM: f64 = 1.164;
/// What plotters divides a font size by in SVG.
const SVG_EM: f64 = 1.24;

/// Red, green, blue, opacity 0 … 1.
pub(crate) type Color = (u8, u8, u8, f64);

pub(crate) const BLACK: Color = (0x22, 0x22, 0x22, 1.0);
pub(crate) const GREY: Color = (0x66, 0x66, 0x66, 1.0);
pub(crate) const LIGHT: Color = (0xdd, 0xdd, 0xdd, 1.0);

/// Where a text stands to its point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Anchor {
    Left,
    Middle,
    Right,
}

/// A text; `at` is the middle of its line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    pub at: (f64, f64),
    pub text: String,
    /// Em height.
    pub size: f64,
    pub bold: bool,
    pub color: Color,
    pub anchor: Anchor,
    /// Turned to read upwards.
    pub upwards: bool,
}

/// One shape; coordinates grow to the right and down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Line { points: Vec<(f64, f64)>, color: Color, width: f64 },
    Area { points: Vec<(f64, f64)>, color: Color },
    Disc { at: (f64, f64), radius: f64, color: Color },
    Text(Label),
}

/// A drawing of a given size on white.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Canvas {
    pub width: f64,
    pub height: f64,
    pub shapes: Vec<Shape>,
}

impl Canvas {
    pub fn new(width: f64, height: f64) -> Self {
        Canvas { width, height, shapes: Vec::new() }
    }

    pub fn line(&mut self, points: &[(f64, f64)], color: Color, width: f64) {
        self.shapes.push(Shape::Line { points: points.to_vec(), color, width });
    }

    pub fn area(&mut self, points: &[(f64, f64)], color: Color) {
        self.shapes.push(Shape::Area { points: points.to_vec(), color });
    }

    pub fn rect(&mut self, (x0, y0): (f64, f64), (x1, y1): (f64, f64), color: Color) {
        self.area(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color);
    }

    pub fn text(&mut self, at: (f64, f64), text: impl Into<String>, size: f64, color: Color, anchor: Anchor) {
        let label = Label { at, text: text.into(), size, bold: false, color, anchor, upwards: false };
        self.shapes.push(Shape::Text(label));
    }

    pub fn title(&mut self, at: (f64, f64), text: impl Into<String>, size: f64, anchor: Anchor) {
        let label = Label { at, text: text.into(), size, bold: true, color: BLACK, anchor, upwards: false };
        self.shapes.push(Shape::Text(label));
    }

    /// Writes `<stem>.svg`, `.png`, `.pdf`, as `style` says, and returns their paths.
    pub fn write(&self, dir: &Path, stem: &str, style: &Style) -> Result<Vec<PathBuf>> {
        let inches = style.width.map(|mm| mm / MM_PER_INCH);
        let one = |format: &Format| {
            let (ending, bytes) = match format {
                Format::Svg => ("svg", self.to_svg(style.width)?.into_bytes()),
                // A point a unit without a width of its own: texts of ten points.
                Format::Pdf => ("pdf", pdf::pdf(self, inches.map_or(1.0, |i| i * 72.0 / self.width))?),
                Format::Png => ("png", encode(&self.image_at(inches.map_or(SCALE, |i| i * PNG_DPI / self.width))?)?),
            };
            let path = dir.join(format!("{stem}.{ending}"));
            file::write(&path, &bytes)?;
            Ok(path)
        };
        style.formats.iter().map(one).collect()
    }

    /// As SVG, so many millimetres wide.
    fn to_svg(&self, width: Option<f64>) -> Result<String> {
        let mut out = String::new();
        {
            let mut backend = SVGBackend::with_string(&mut out, self.pixels(SCALE));
            self.paint(&mut backend, SCALE, SVG_EM, 0.0)?;
        }
        if let Some(mm) = width {
            let (w, h) = self.pixels(SCALE);
            let height = mm * self.height / self.width;
            let size = format!("width=\"{mm}mm\" height=\"{height:.2}mm\"");
            out = out.replacen(&format!("width=\"{w}\" height=\"{h}\""), &size, 1);
        }
        Ok(out)
    }

    pub fn to_image(&self) -> Result<RgbImage> {
        self.image_at(SCALE)
    }

    /// As an image of so many pixels a unit.
    fn image_at(&self, scale: f64) -> Result<RgbImage> {
        let (width, height) = self.pixels(scale * OVERSAMPLING);
        let mut buffer = vec![255; (width * height * 3) as usize];
        // Plotters centres a bitmap text a little too high.
        self.paint(
            &mut BitMapBackend::with_buffer(&mut buffer, (width, height)),
            scale * OVERSAMPLING,
            BITMAP_EM,
            0.16,
        )?;
        let large =
            RgbImage::from_raw(width, height, buffer).ok_or_else(|| Error::failed("a plot of the wrong size"))?;
        let (width, height) = self.pixels(scale);
        Ok(imageops::resize(&large, width, height, imageops::FilterType::Triangle))
    }

    fn pixels(&self, scale: f64) -> (u32, u32) {
        ((self.width * scale).round() as u32, (self.height * scale).round() as u32)
    }

    /// Paints all shapes. `em` turns em heights into plotters' font sizes; texts are lowered by `lower` em.
    fn paint<B: DrawingBackend>(&self, backend: &mut B, scale: f64, em: f64, lower: f64) -> Result<()> {
        fonts()?;
        let to_pixel = |(x, y): (f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
        let to_pixels = |points: &[(f64, f64)]| points.iter().map(|p| to_pixel(*p)).collect::<Vec<_>>();
        backend
            .draw_rect((0, 0), to_pixel((self.width, self.height)), &style((255, 255, 255, 1.0), 1, true), true)
            .map_err(unpainted)?;
        for shape in &self.shapes {
            match shape {
                Shape::Line { points, color, width } => {
                    backend.draw_path(to_pixels(points), &style(*color, (width * scale).round().max(1.0) as u32, false))
                }
                Shape::Area { points, color } => backend.fill_polygon(to_pixels(points), &style(*color, 1, true)),
                Shape::Disc { at, radius, color } => {
                    backend.draw_circle(to_pixel(*at), (radius * scale).round() as u32, &style(*color, 1, true), true)
                }
                Shape::Text(label) => {
                    let (dx, dy) = if label.upwards { (lower * label.size, 0.0) } else { (0.0, lower * label.size) };
                    let at = to_pixel((label.at.0 + dx, label.at.1 + dy));
                    backend.draw_text(&label.text, &text_style(label, label.size * scale * em), at)
                }
            }
            .map_err(unpainted)?;
        }
        backend.present().map_err(unpainted)
    }
}

fn unpainted(error: impl std::fmt::Display) -> Error {
    Error::failed(format!("a figure cannot be painted: {error}"))
}

/// A PNG file of `image`.
pub(crate) fn encode(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive)
        .write_image(image, image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|e| Error::failed(format!("a PNG cannot be made: {e}")))?;
    Ok(bytes)
}

/// The width of a text of an em height.
pub(crate) fn text_width(text: &str, size: f64) -> Result<f64> {
    fonts()?;
    // Measured large, since plotters rounds to whole pixels.
    let font = FontDesc::new(FontFamily::from(FAMILY), 100.0 * BITMAP_EM, FontStyle::Normal);
    let (width, _) = font.box_size(text).map_err(|e| Error::failed(format!("the bundled font: {e}")))?;
    Ok(f64::from(width) * size / 100.0)
}

/// Registers the bundled font, once.
fn fonts() -> Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        let normal = register_font(FAMILY, FontStyle::Normal, NORMAL);
        let bold = register_font(FAMILY, FontStyle::Bold, BOLD);
        normal.is_ok() && bold.is_ok()
    });
    if *done { Ok(()) } else { Err(Error::failed("the bundled font cannot be read")) }
}

fn style((r, g, b, opacity): Color, stroke_width: u32, filled: bool) -> ShapeStyle {
    ShapeStyle { color: RGBAColor(r, g, b, opacity), filled, stroke_width }
}

fn text_style(label: &Label, size: f64) -> TextStyle<'static> {
    let weight = if label.bold { FontStyle::Bold } else { FontStyle::Normal };
    let turn = if label.upwards { FontTransform::Rotate270 } else { FontTransform::None };
    let horizontal = match label.anchor {
        Anchor::Left => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let (r, g, b, opacity) = label.color;
    let font = FontDesc::new(FontFamily::from(FAMILY), size, weight).transform(turn);
    let color = RGBAColor(r, g, b, opacity).to_backend_color();
    TextStyle { color, pos: Pos::new(horizontal, VPos::Center), ..TextStyle::from(font) }
}
