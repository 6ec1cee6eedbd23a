//! A drawing as a PDF of one page.

use std::collections::BTreeMap;
use std::io::Write;

use ab_glyph::{Font, FontRef, OutlineCurve, Point};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::writers::ExtGraphicsState;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref};
use zsad_core::{Error, Result};

use super::canvas::{Anchor, BOLD, Canvas, Color, Label, NORMAL, Shape};

/// Height of a capital letter in em.
const CAPITAL: f64 = 0.729;
/// Distance of the control points of a quarter of a circle.
const ARC: f64 = 0.552_284_75;

/// `canvas` on a page of so many points (1/72 inch) a unit.
pub(super) fn pdf(canvas: &Canvas, scale: f64) -> Result<Vec<u8>> {
    let mut page = PageContent { content: Content::new(), opacities: BTreeMap::new() };
    let height = canvas.height * scale;
    page.content.transform([scale as f32, 0.0, 0.0, -scale as f32, 0.0, height as f32]);
    page.content.set_line_cap(LineCapStyle::ButtCap).set_line_join(LineJoinStyle::RoundJoin);
    for shape in &canvas.shapes {
        page.shape(shape)?;
    }
    let [catalog, pages, only, content] = [1, 2, 3, 4].map(Ref::new);
    let mut file = Pdf::new();
    file.catalog(catalog).pages(pages);
    file.pages(pages).kids([only]).count(1);
    let mut description = file.page(only);
    let size = Rect::new(0.0, 0.0, (canvas.width * scale) as f32, height as f32);
    description.media_box(size).parent(pages).contents(content);
    let mut resources = description.resources();
    let mut states = resources.ext_g_states();
    for (opacity, number) in &page.opacities {
        let share = f32::from(*opacity) / 100.0;
        states
            .insert(Name(name(*number).as_bytes()))
            .start::<ExtGraphicsState>()
            .non_stroking_alpha(share)
            .stroking_alpha(share);
    }
    states.finish();
    resources.finish();
    description.finish();
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let unpacked = |e| Error::failed(format!("a PDF cannot be packed: {e}"));
    packed.write_all(&page.content.finish()).map_err(unpacked)?;
    file.stream(content, &packed.finish().map_err(unpacked)?).filter(Filter::FlateDecode);
    Ok(file.finish())
}

fn name(number: usize) -> String {
    format!("a{number}")
}

struct PageContent {
    content: Content,
    /// Opacities in per cent that occur, with the number of their graphics state.
    opacities: BTreeMap<u8, usize>,
}

impl PageContent {
    fn shape(&mut self, shape: &Shape) -> Result<()> {
        match shape {
            Shape::Line { points, color, width } => {
                self.opacity(*color);
                let [r, g, b] = rgb(*color);
                self.content.set_stroke_rgb(r, g, b).set_line_width(*width as f32);
                self.path(points);
                self.content.stroke();
            }
            Shape::Area { points, color } => {
                self.fill(*color);
                self.path(points);
                self.content.close_path().fill_nonzero();
            }
            Shape::Disc { at, radius, color } => {
                self.fill(*color);
                self.circle(*at, *radius);
                self.content.fill_nonzero();
            }
            Shape::Text(label) => self.text(label)?,
        }
        Ok(())
    }

    fn opacity(&mut self, color: Color) {
        let next = self.opacities.len();
        let number = *self.opacities.entry((color.3 * 100.0).round() as u8).or_insert(next);
        self.content.set_parameters(Name(name(number).as_bytes()));
    }

    fn fill(&mut self, color: Color) {
        self.opacity(color);
        let [r, g, b] = rgb(color);
        self.content.set_fill_rgb(r, g, b);
    }

    fn path(&mut self, points: &[(f64, f64)]) {
        for (i, (x, y)) in points.iter().enumerate() {
            if i == 0 {
                self.content.move_to(*x as f32, *y as f32);
            } else {
                self.content.line_to(*x as f32, *y as f32);
            }
        }
    }

    fn circle(&mut self, (x, y): (f64, f64), r: f64) {
        self.content.move_to((x + r) as f32, y as f32);
        let (mut cos, mut sin) = (1.0, 0.0);
        for _ in 0..4 {
            // A quarter from (cos, sin) to (−sin, cos).
            let (c, s) = (-sin, cos);
            let place = |px: f64, py: f64| ((x + r * px) as f32, (y + r * py) as f32);
            let (a, b, end) = (place(cos + ARC * c, sin + ARC * s), place(c + ARC * cos, s + ARC * sin), place(c, s));
            self.content.cubic_to(a.0, a.1, b.0, b.1, end.0, end.1);
            (cos, sin) = (c, s);
        }
    }

    /// The outlines of a text, whose line's middle is at the label's point.
    fn text(&mut self, label: &Label) -> Result<()> {
        let font = FontRef::try_from_slice(if label.bold { BOLD } else { NORMAL })
            .map_err(|e| Error::failed(format!("the bundled font: {e}")))?;
        let em = label.size / f64::from(font.units_per_em().unwrap_or(2048.0));
        let glyphs: Vec<_> = label.text.chars().map(|c| font.glyph_id(c)).collect();
        let width: f64 = glyphs.iter().map(|g| f64::from(font.h_advance_unscaled(*g))).sum::<f64>() * em;
        let mut along = match label.anchor {
            Anchor::Left => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::Right => -width,
        };
        self.fill(label.color);
        for glyph in glyphs {
            let place = |p: Point| {
                let (x, y) = (along + f64::from(p.x) * em, CAPITAL / 2.0 * label.size - f64::from(p.y) * em);
                let (x, y) = if label.upwards { (y, -x) } else { (x, y) };
                ((label.at.0 + x) as f32, (label.at.1 + y) as f32)
            };
            let curves = font.outline(glyph).map(|o| o.curves).unwrap_or_default();
            let mut last = None;
            for curve in &curves {
                let (from, to) = ends(curve);
                if last != Some(from) {
                    let (x, y) = place(from);
                    self.content.move_to(x, y);
                }
                let ((x0, y0), (x1, y1)) = (place(from), place(to));
                match curve {
                    OutlineCurve::Line(..) => self.content.line_to(x1, y1),
                    OutlineCurve::Quad(_, control, _) => {
                        let (cx, cy) = place(*control);
                        let third = |end: f32, c: f32| end + 2.0 / 3.0 * (c - end);
                        self.content.cubic_to(third(x0, cx), third(y0, cy), third(x1, cx), third(y1, cy), x1, y1)
                    }
                    OutlineCurve::Cubic(_, a, b, _) => {
                        let ((ax, ay), (bx, by)) = (place(*a), place(*b));
                        self.content.cubic_to(ax, ay, bx, by, x1, y1)
                    }
                };
                last = Some(to);
            }
            if !curves.is_empty() {
                self.content.fill_nonzero();
            }
            along += f64::from(font.h_advance_unscaled(glyph)) * em;
        }
        Ok(())
    }
}

fn ends(curve: &OutlineCurve) -> (Point, Point) {
    match curve {
        OutlineCurve::Line(a, b) | OutlineCurve::Quad(a, _, b) | OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
    }
}

fn rgb((r, g, b, _): Color) -> [f32; 3] {
    [r, g, b].map(|v| f32::from(v) / 255.0)
}
