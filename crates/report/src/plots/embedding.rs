//! A batch around a learned centre: every sample at its distance from it.

use std::path::{Path, PathBuf};

use zsad_core::Result;

use super::axes::{SMALL, TEXT};
use super::canvas::{Anchor, BLACK, Canvas, GREY, LIGHT};
use super::file_name;
use super::palette::Look;
use super::style::{PanelSize, Style};

/// A sample around the centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Distance to the centre.
    pub distance: f64,
    /// Direction in the plane that is looked at, in radians.
    pub angle: f64,
    /// Whether it is an anomaly.
    pub anomalous: bool,
}

/// The same samples in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub heading: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// Half the side of a panel.
const RADIUS: f64 = 165.0;
const SIZE: PanelSize = PanelSize { width: 2.0 * RADIUS, height: 2.0 * RADIUS, left: 26.0, below: 46.0 };
/// Corners of a circle.
const CORNERS: u32 = 96;

/// Writes `plots/embedding_<dataset>` below `out` in the formats of `style`: panels on one scale.
///
/// # Errors
/// [`zsad_core::Error::Data`] where a file cannot be written.
pub fn write(
    out: &Path,
    dataset: &str,
    (title, note): (&str, &str),
    panels: &[Panel],
    style: &Style,
) -> Result<Vec<PathBuf>> {
    figure((title, note), panels, style)?.write(&out.join("plots"), &format!("embedding_{}", file_name(dataset)), style)
}

fn figure((title, note): (&str, &str), panels: &[Panel], style: &Style) -> Result<Canvas> {
    // Blue discs and orange squares, as everywhere: told apart by shape as well.
    let looks = [(Look::of(0), "normal".to_owned()), (Look::of(1), "anomaly".to_owned())];
    let mut page = style.page((title, note), (panels.len(), 2), &SIZE, &looks)?;
    let greatest = panels.iter().flat_map(|p| &p.samples).map(|s| s.distance).fold(0.0, f64::max);
    let step = ring(greatest);
    let scale = RADIUS / (greatest / step).ceil().max(1.0) / step;
    for (panel, &(x, y)) in panels.iter().zip(&page.corners) {
        let centre = (x + RADIUS, y + RADIUS);
        page.canvas.title((x, y - 14.0), &panel.heading, TEXT, Anchor::Left);
        let rings = (1..).map(|i| f64::from(i) * step).take_while(|r| r * scale <= RADIUS + 1e-9);
        for distance in rings {
            circle(&mut page.canvas, centre, distance * scale);
            let label = (centre.0 + 3.0, centre.1 - distance * scale + 7.0);
            page.canvas.text(label, format!("{distance}"), SMALL, GREY, Anchor::Left);
        }
        for (dx, dy) in [(5.0, 0.0), (0.0, 5.0)] {
            page.canvas.line(&[(centre.0 - dx, centre.1 - dy), (centre.0 + dx, centre.1 + dy)], BLACK, 1.6);
        }
        // Anomalies last, so that none is hidden.
        for anomalous in [false, true] {
            for sample in panel.samples.iter().filter(|s| s.anomalous == anomalous) {
                let r = sample.distance * scale;
                let at = (centre.0 + r * sample.angle.cos(), centre.1 - r * sample.angle.sin());
                looks[usize::from(anomalous)].0.marker(&mut page.canvas, at, 4.0);
            }
        }
    }
    Ok(page.canvas)
}

/// A round distance between rings, of which there are two to five.
fn ring(greatest: f64) -> f64 {
    let power = 10f64.powf((greatest.max(f64::MIN_POSITIVE) / 2.0).log10().floor());
    let fits = |m: &f64| greatest / (m * power) <= 5.0;
    [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0) * power
}

fn circle(canvas: &mut Canvas, (x, y): (f64, f64), r: f64) {
    let at = |i: u32| {
        let angle = std::f64::consts::TAU * f64::from(i) / f64::from(CORNERS);
        (x + r * angle.cos(), y + r * angle.sin())
    };
    canvas.line(&(0..=CORNERS).map(at).collect::<Vec<_>>(), LIGHT, 1.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::canvas::Shape;

    #[test]
    fn rings_are_round_and_few() {
        for greatest in [0.03, 1.0, 1.9, 2.1, 4.9, 7.3, 10.0, 99.0, 12345.0] {
            let n = greatest / ring(greatest);
            assert!((1.9..=5.0).contains(&n), "{greatest}: {n}");
        }
    }

    #[test]
    fn a_sample_stands_at_its_distance_and_both_panels_have_one_scale() {
        let sample = |distance, anomalous| Sample { distance, angle: 0.0, anomalous };
        let panel = |samples: &[Sample]| Panel { heading: "p".into(), samples: samples.to_vec() };
        let panels = [panel(&[sample(4.0, false)]), panel(&[sample(2.0, false), sample(4.0, false)])];
        let canvas = figure(("t", "n"), &panels, &Style::default()).unwrap();
        let page = Style::default().page(("t", "n"), (2, 2), &SIZE, &[]).unwrap();
        let discs: Vec<f64> = canvas
            .shapes
            .iter()
            .filter_map(|s| match s {
                Shape::Disc { at, radius, .. } if (*radius - 4.0).abs() < 1e-9 && at.1 > 90.0 => Some(at.0),
                _ => None,
            })
            .collect();
        let from = |i: usize, corner: usize| discs[i] - page.corners[corner].0 - RADIUS;
        assert!((from(0, 0) - 2.0 * from(1, 1)).abs() < 1e-9, "{discs:?}");
        assert!((from(0, 0) - from(2, 1)).abs() < 1e-9, "{discs:?}");
    }
}
