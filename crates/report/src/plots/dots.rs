//! Panels of words against numbers: a column a word, in it a dot with its interval a method.

use std::path::{Path, PathBuf};

use zsad_core::Result;

use super::axes::{Axis, Panel as Frame, Tick};
use super::palette::Look;
use super::style::{Page, PanelSize, Style};

/// A dot: its number and, where it is known, the ends of its interval.
pub type Dot = (f64, Option<(f64, f64)>);

/// The dots of one method, one a word; `None` where it has no number.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The method.
    pub label: String,
    /// Its dots.
    pub dots: Vec<Option<Dot>>,
}

/// One panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What stands above it.
    pub heading: String,
    /// The name of its vertical axis, which goes from 0 to 100 or to where the dots lie.
    pub axis: String,
    /// The least number of the axis.
    pub low: f64,
    /// The words.
    pub words: Vec<String>,
    /// The methods; those of one place have one look in all panels.
    pub series: Vec<Series>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its title.
    pub title: String,
    /// How to read it.
    pub note: String,
    /// Its panels.
    pub panels: Vec<Panel>,
}

const PANEL: PanelSize = PanelSize { width: 420.0, height: 240.0, left: 62.0, below: 84.0 };

impl Figure {
    /// Writes it as `<dir>/plots/<stem>`, in every format of `style`.
    ///
    /// # Errors
    /// [`zsad_core::Error::Data`] where a file cannot be written.
    pub fn write(&self, dir: &Path, stem: &str, style: &Style) -> Result<Vec<PathBuf>> {
        let longest = self.panels.iter().max_by_key(|p| p.series.len());
        let labels: Vec<String> = longest.map_or(vec![], |p| p.series.iter().map(|s| s.label.clone()).collect());
        let looks: Vec<(Look, String)> = labels.iter().enumerate().map(|(i, l)| (Look::of(i), l.clone())).collect();
        let n = self.panels.len();
        let Page { mut canvas, corners, columns } = style.page((&self.title, &self.note), (n, 2), &PANEL, &looks)?;
        for (i, (panel, corner)) in self.panels.iter().zip(corners).enumerate() {
            let ends = |(v, ends): &Dot| ends.map_or([*v, *v], |(low, high)| [low, high]);
            let all: Vec<f64> = panel.series.iter().flat_map(|s| s.dots.iter().flatten().flat_map(ends)).collect();
            let (low, high) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
            if all.is_empty() {
                continue;
            }
            let name = if i % columns == 0 || panel.axis != self.panels[i - 1].axis { panel.axis.as_str() } else { "" };
            let y = Axis::nice(name, low.min(panel.low), high, 100.0, 8);
            let pad = 0.03 * (y.high - y.low);
            let y = Axis { low: y.low - pad, high: y.high + pad, ..y };
            let word = |(i, word): (usize, &String)| {
                // Long words are broken where they are joined.
                let label = word.replace('_', "_ ").split(' ').map(str::to_owned).collect();
                Tick { value: i as f64, label }
            };
            let ticks = panel.words.iter().enumerate().map(word).collect();
            let x = Axis { name: String::new(), low: -0.5, high: panel.words.len() as f64 - 0.5, ticks };
            let frame = Frame { at: corner, width: PANEL.width, height: PANEL.height, x, y };
            frame.draw(&mut canvas, &panel.heading)?;
            let step = 0.7 / panel.series.len().max(1) as f64;
            for series in &panel.series {
                let Some(order) = labels.iter().position(|l| *l == series.label) else { continue };
                let (look, aside) = (looks[order].0, (order as f64 - (labels.len() - 1) as f64 / 2.0) * step);
                for (place, dot) in series.dots.iter().enumerate() {
                    let Some((value, ends)) = dot else { continue };
                    let at = |v: f64| frame.position(place as f64 + aside, v);
                    if let Some((low, high)) = ends {
                        canvas.line(&[at(*low), at(*high)], look.faint(0.75), 1.2);
                    }
                    look.marker(&mut canvas, at(*value), 3.4);
                }
            }
        }
        canvas.write(&dir.join("plots"), stem, style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_a_dot_a_number_and_is_the_same_every_time() {
        let series = |label: &str, dots: [Option<Dot>; 2]| Series { label: label.into(), dots: dots.to_vec() };
        let figure = Figure {
            title: "run: drop".into(),
            note: "dots".into(),
            panels: vec![Panel {
                heading: "AUROC".into(),
                axis: "AUROC (%)".into(),
                low: 100.0,
                words: vec!["none".into(), "brightness@3".into()],
                series: vec![
                    series("a", [Some((90.0, Some((85.0, 95.0)))), Some((80.0, None))]),
                    series("b", [None, Some((50.0, None))]),
                ],
            }],
        };
        let dir = tempfile::tempdir().unwrap();
        let paths = figure.write(dir.path(), "drop", &Style::default()).unwrap();
        let svg = std::fs::read_to_string(&paths[0]).unwrap();
        assert!(svg.contains("brightness@3") && svg.contains("AUROC (%)"), "{svg}");
        let again = figure.write(dir.path(), "again", &Style::default()).unwrap();
        assert_eq!(svg, std::fs::read_to_string(&again[0]).unwrap());
    }
}
