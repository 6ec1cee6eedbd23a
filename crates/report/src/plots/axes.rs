//! Panels: a frame with ticks, a grid and names of its axes; and the legend beside them.

use zsad_core::Result;

use super::canvas::{Anchor, BLACK, Canvas, Color, GREY, LIGHT, Label, Shape, text_width};
use super::palette::Look;

pub(crate) const TEXT: f64 = 10.5;
pub(crate) const SMALL: f64 = 9.0;
const LINE: f64 = 12.5;

/// A mark on an axis; `value` in the axis' own (perhaps logarithmic) units, one line of text each label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub value: f64,
    pub label: Vec<String>,
}

/// An axis from `low` to `high`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub name: String,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// Round ticks over `low … high`, which is widened to them; never beyond `limit`.
    pub fn nice(name: &str, low: f64, high: f64, limit: f64, wanted: usize) -> Axis {
        let span = (high - low).max(1e-9);
        let raw = span / wanted as f64;
        let power = 10f64.powf(raw.log10().floor());
        // One of the four always fits: raw / power lies between 1 and 10.
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= raw * 0.999).unwrap_or(raw);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let ticks = (first..=last).map(|i| i as f64 * step).filter(|v| *v <= limit + 1e-9);
        let ticks: Vec<Tick> = ticks.map(|value| Tick { value, label: vec![format!("{value:.decimals$}")] }).collect();
        let high = (last as f64 * step).min(limit);
        Axis { name: name.to_owned(), low: first as f64 * step, high, ticks }
    }

    /// Powers of ten (and their 2 and 5 where there are few) over logarithms to base ten.
    pub fn decades(name: &str, low: f64, high: f64) -> Axis {
        let digits: &[f64] = if high - low > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = (low.floor() as i32)..=(high.ceil() as i32);
        let marks = powers.flat_map(|p| digits.iter().map(move |d| (d.log10() + f64::from(p), d * 10f64.powi(p))));
        let label = |v: f64| if (1e-3..1e5).contains(&v) { format!("{v}") } else { format!("{v:.0e}") };
        let inside = marks.filter(|(l, _)| (low - 1e-9..=high + 1e-9).contains(l));
        let ticks = inside.map(|(value, v)| Tick { value, label: vec![label((v * 1e9).round() / 1e9)] }).collect();
        Axis { name: name.to_owned(), low, high, ticks }
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low).max(1e-12)
    }
}

/// A frame on the canvas.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    /// Left upper corner.
    pub at: (f64, f64),
    pub width: f64,
    pub height: f64,
    pub x: Axis,
    pub y: Axis,
}

impl Panel {
    /// The place of a pair of values.
    pub fn position(&self, x: f64, y: f64) -> (f64, f64) {
        (self.at.0 + self.width * self.x.share(x), self.at.1 + self.height * (1.0 - self.y.share(y)))
    }

    /// Frame, grid, ticks, names and a heading above.
    pub fn draw(&self, canvas: &mut Canvas, heading: &str) -> Result<()> {
        let (x0, y0) = self.at;
        let (x1, y1) = (x0 + self.width, y0 + self.height);
        for tick in &self.y.ticks {
            let (_, y) = self.position(self.x.low, tick.value);
            canvas.line(&[(x0, y), (x1, y)], LIGHT, 0.5);
            canvas.line(&[(x0 - 4.0, y), (x0, y)], BLACK, 0.8);
            canvas.text((x0 - 7.0, y), tick.label.join(" "), TEXT, BLACK, Anchor::Right);
        }
        // Marks stay; a label that would touch the one before is left out.
        let mut free = f64::NEG_INFINITY;
        for tick in &self.x.ticks {
            let (x, _) = self.position(tick.value, self.y.low);
            canvas.line(&[(x, y0), (x, y1)], LIGHT, 0.5);
            canvas.line(&[(x, y1), (x, y1 + 4.0)], BLACK, 0.8);
            let widths = tick.label.iter().map(|l| text_width(l, TEXT)).collect::<Result<Vec<_>>>()?;
            let half = widths.into_iter().fold(0.0, f64::max) / 2.0;
            if x - half < free {
                continue;
            }
            free = x + half + 4.0;
            for (i, line) in tick.label.iter().enumerate() {
                let (size, color) = if i == 0 { (TEXT, BLACK) } else { (SMALL, GREY) };
                canvas.text((x, y1 + 13.0 + LINE * i as f64), line.as_str(), size, color, Anchor::Middle);
            }
        }
        canvas.line(&[(x0, y0), (x0, y1), (x1, y1), (x1, y0), (x0, y0)], BLACK, 0.8);
        let lines = self.x.ticks.iter().map(|t| t.label.len()).max().unwrap_or(0) as f64;
        canvas.text(((x0 + x1) / 2.0, y1 + 16.0 + LINE * lines), self.x.name.as_str(), TEXT, BLACK, Anchor::Middle);
        let widths = self.y.ticks.iter().map(|t| text_width(&t.label.join(" "), TEXT)).collect::<Result<Vec<_>>>()?;
        let margin = widths.into_iter().fold(0.0, f64::max) + 20.0;
        if !self.y.name.is_empty() {
            canvas.shapes.push(Shape::Text(Label {
                at: (x0 - margin, (y0 + y1) / 2.0),
                text: self.y.name.clone(),
                size: TEXT,
                bold: false,
                color: BLACK,
                anchor: Anchor::Middle,
                upwards: true,
            }));
        }
        canvas.text(((x0 + x1) / 2.0, y0 - 10.0), heading, TEXT, BLACK, Anchor::Middle);
        Ok(())
    }

    /// A dashed level, such as that of chance, where it lies inside.
    pub fn level(&self, canvas: &mut Canvas, y: f64, color: Color) {
        if (self.y.low..=self.y.high).contains(&y) {
            let mut x = 0.0;
            while x < self.width {
                let (_, at) = self.position(self.x.low, y);
                let end = (x + 4.0).min(self.width);
                canvas.line(&[(self.at.0 + x, at), (self.at.0 + end, at)], color, 0.8);
                x += 8.0;
            }
        }
    }
}

/// The height of a line of a legend.
pub(crate) const LEGEND_LINE: f64 = 17.0;

/// One line of a legend a method, downwards from `at`.
pub(crate) fn legend(canvas: &mut Canvas, at: (f64, f64), entries: &[(Look, String)]) {
    for (i, (look, label)) in entries.iter().enumerate() {
        let y = at.1 + LEGEND_LINE * i as f64;
        look.line(canvas, &[(at.0, y), (at.0 + 30.0, y)], 1.6);
        look.marker(canvas, (at.0 + 15.0, y), 3.6);
        canvas.text((at.0 + 37.0, y), label.as_str(), TEXT, BLACK, Anchor::Left);
    }
}

/// The width that [`legend`] needs.
pub(crate) fn legend_width(entries: &[(Look, String)]) -> Result<f64> {
    let widths = entries.iter().map(|(_, label)| text_width(label, TEXT)).collect::<Result<Vec<_>>>()?;
    Ok(widths.into_iter().fold(0.0, f64::max) + 45.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        let labels = |a: &Axis| a.ticks.iter().map(|t| t.label[0].clone()).collect::<Vec<_>>();
        let a = Axis::nice("y", 71.3, 98.7, 100.0, 5);
        assert_eq!(labels(&a), ["70", "80", "90", "100"]);
        let a = Axis::nice("y", 97.13, 98.02, 100.0, 5);
        assert_eq!(labels(&a), ["97.0", "97.2", "97.4", "97.6", "97.8", "98.0", "98.2"]);
        assert!(a.low <= 97.13 && a.high >= 98.02);
        let a = Axis::decades("loss", -0.7, 1.1);
        assert_eq!(labels(&a), ["0.2", "0.5", "1", "2", "5", "10"]);
    }
}
