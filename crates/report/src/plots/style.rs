//! How figures are laid out and in which formats they are kept.

use zsad_core::Result;

use super::axes::{LEGEND_LINE, SMALL, legend, legend_width};
use super::canvas::{Anchor, Canvas, GREY, text_width};
use super::palette::Look;

/// A file format of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Scalable, for pages.
    Svg,
    /// Pixels.
    Png,
    /// Scalable, for LaTeX; texts are outlines, so that no font is needed.
    Pdf,
}

/// How figures are drawn and kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Style {
    /// The formats that are written.
    pub formats: Vec<Format>,
    /// A title and a note above the panels; in a paper the caption says both.
    pub title: bool,
    /// Width on paper in millimetres: fewer panels side by side, the legend below them. `None`: as wide as it comes.
    pub width: Option<f64>,
}

impl Default for Style {
    fn default() -> Self {
        Style { formats: vec![Format::Svg, Format::Png], title: true, width: None }
    }
}

/// The size of a panel, with what stands left of it and below.
pub(super) struct PanelSize {
    pub width: f64,
    pub height: f64,
    /// Ticks and the name of the axis.
    pub left: f64,
    /// Ticks, the name of the axis, the heading of the next.
    pub below: f64,
}

/// A page with its title and legend, and where the panels go.
pub(super) struct Page {
    pub canvas: Canvas,
    /// Left upper corner of each panel.
    pub corners: Vec<(f64, f64)>,
    /// Panels side by side.
    pub columns: usize,
}

/// Above the first row of panels: title, note, heading; or the heading alone.
const TOP: f64 = 82.0;
const TOP_BARE: f64 = 28.0;
/// Units of a drawing to a millimetre at a text size of eight points.
const UNITS: f64 = 3.7;

impl Style {
    /// The height above the first panel.
    pub(super) fn top(&self) -> f64 {
        if self.title { TOP } else { TOP_BARE }
    }

    /// Title and note.
    pub(super) fn head(&self, canvas: &mut Canvas, title: &str, note: &str) {
        if self.title {
            canvas.title((18.0, 24.0), title, 14.0, Anchor::Left);
            canvas.text((18.0, 44.0), note, SMALL, GREY, Anchor::Left);
        }
    }

    /// The width that title and note need.
    pub(super) fn head_width(&self, title: &str, note: &str) -> Result<f64> {
        let wide = text_width(title, 14.0)?.max(text_width(note, SMALL)?) * 1.1 + 40.0;
        Ok(if self.title { wide } else { 0.0 })
    }

    /// A page for `n` panels, at most `most` side by side, with a legend of `looks`, if there are any.
    pub(super) fn page(
        &self,
        (title, note): (&str, &str),
        (n, most): (usize, usize),
        panel: &PanelSize,
        looks: &[(Look, String)],
    ) -> Result<Page> {
        let step = (panel.width + panel.left, panel.height + panel.below);
        // A little smaller than eight points is still read; half of it is not.
        let fit = self.width.map_or(most, |mm| (1.3 * mm * UNITS / step.0) as usize);
        let columns = fit.clamp(1, most.min(n).max(1));
        let body = (columns as f64 * step.0 + 18.0, n.div_ceil(columns) as f64 * step.1 - 18.0);
        let top = self.top();
        let entry = legend_width(looks)?;
        let below = self.width.is_some() && !looks.is_empty();
        let beside = if looks.is_empty() || below { 0.0 } else { entry };
        let across = if below { ((body.0 / entry) as usize).max(1) } else { 1 };
        let under = if below { LEGEND_LINE * looks.len().div_ceil(across) as f64 + 12.0 } else { 0.0 };
        let width = (body.0 + beside).max(self.head_width(title, note)?);
        let tall = if below { 0.0 } else { LEGEND_LINE * looks.len() as f64 + 12.0 };
        let mut canvas = Canvas::new(width, top + body.1.max(tall) + under);
        self.head(&mut canvas, title, note);
        if below {
            let lines = looks.len().div_ceil(across);
            for (i, column) in looks.chunks(lines).enumerate() {
                legend(&mut canvas, (18.0 + i as f64 * entry, top + body.1 + 6.0), column);
            }
        } else {
            legend(&mut canvas, (body.0 + 4.0, top + 8.0), looks);
        }
        let corner = |i: usize| (panel.left + (i % columns) as f64 * step.0, top + (i / columns) as f64 * step.1);
        Ok(Page { canvas, corners: (0..n).map(corner).collect(), columns })
    }
}
