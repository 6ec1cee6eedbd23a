//! What a method finds against the time that it takes.

use std::path::{Path, PathBuf};

use zsad_core::Result;

use super::axes::{Axis, Panel as Frame};
use super::palette::Look;
use super::style::{Page, PanelSize, Style};

/// One method at one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// The method.
    pub label: String,
    /// Milliseconds of a batch, above 0.
    pub ms: f64,
    /// Mean AUROC, a share.
    pub auroc: f64,
}

/// The methods of one data set and protocol point.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What stands above it.
    pub heading: String,
    /// Its methods.
    pub spots: Vec<Spot>,
}

const PANEL: PanelSize = PanelSize { width: 320.0, height: 220.0, left: 62.0, below: 56.0 };

/// Writes `<dir>/plots/auroc_milliseconds` in every format of `style`: a panel a point, milliseconds on a logarithmic axis. Nothing
/// where there is no spot.
///
/// # Errors
/// [`zsad_core::Error::Data`] where a file cannot be written.
pub fn write(dir: &Path, panels: &[Panel], style: &Style) -> Result<Vec<PathBuf>> {
    let mut labels: Vec<String> = panels.iter().flat_map(|p| &p.spots).map(|s| s.label.clone()).collect();
    labels.sort();
    labels.dedup();
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let looks: Vec<(Look, String)> = labels.iter().enumerate().map(|(i, l)| (Look::of(i), l.clone())).collect();
    let about = ("AUROC against milliseconds a batch", "medians of one thread; up and to the left is better");
    let Page { mut canvas, corners, columns } = style.page(about, (panels.len(), 2), &PANEL, &looks)?;
    for (i, (panel, corner)) in panels.iter().zip(corners).enumerate().filter(|(_, (p, _))| !p.spots.is_empty()) {
        let range = |of: fn(&Spot) -> f64| {
            let values = panel.spots.iter().map(of);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let (low, high) = range(|s| s.auroc * 100.0);
        let name = if i % columns == 0 { "AUROC (%)" } else { "" };
        let y = Axis::nice(name, low, high, 100.0, 6);
        let pad = 0.04 * (y.high - y.low);
        let y = Axis { low: y.low - pad, high: y.high + pad, ..y };
        let (fast, slow) = range(|s| s.ms.log10());
        let x = Axis::decades("milliseconds a batch", fast - 0.15, slow + 0.15);
        let frame = Frame { at: corner, width: PANEL.width, height: PANEL.height, x, y };
        frame.draw(&mut canvas, &panel.heading)?;
        for spot in &panel.spots {
            let Some(order) = labels.iter().position(|l| *l == spot.label) else { continue };
            looks[order].0.marker(&mut canvas, frame.position(spot.ms.log10(), spot.auroc * 100.0), 4.2);
        }
    }
    canvas.write(&dir.join("plots"), "auroc_milliseconds", style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_place_and_without_methods_there_is_no_figure() {
        let spot = |label: &str, ms, auroc| Spot { label: label.into(), ms, auroc };
        let spots = vec![spot("knn", 0.4, 0.98), spot("acr_dsvdd", 12.0, 0.95)];
        let panels = [Panel { heading: "digits, batch size 20".into(), spots }];
        let dir = tempfile::tempdir().unwrap();
        let paths = write(dir.path(), &panels, &Style::default()).unwrap();
        let svg = std::fs::read_to_string(&paths[0]).unwrap();
        for said in ["knn", "acr_dsvdd", "milliseconds a batch", "AUROC (%)", "digits, batch size 20"] {
            assert!(svg.contains(said), "{said}");
        }
        assert_eq!(write(dir.path(), &[], &Style::default()).unwrap(), Vec::<PathBuf>::new());
    }
}
