//! Training loss against the step: a panel a method, a line a fit.

use std::collections::BTreeMap;

use zsad_core::Result;
use zsad_core::key::canonical_json;
use zsad_store::{ModelStore, Row};

use super::axes::{Axis, Panel, Tick};
use super::canvas::Canvas;
use super::palette::Look;
use super::style::{Page, PanelSize, Style};
use crate::labels::{compare, labels};

const PANEL: PanelSize = PanelSize { width: 330.0, height: 210.0, left: 70.0, below: 74.0 };

/// A training as figures show it: named as in the rows of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Data set.
    pub dataset: String,
    /// Method.
    pub method: String,
    /// Its version.
    pub version: u32,
    /// Parameters as asked for, canonical JSON.
    pub params: String,
    /// (step, training loss).
    pub loss: Vec<(u64, f64)>,
}

/// The trainings behind `rows` that the store knows, each under the names of its rows.
///
/// # Errors
/// Where a record of a training comes from a newer zsad.
pub fn trainings(rows: &[Row], store: &ModelStore) -> Result<Vec<Training>> {
    let mut found = Vec::new();
    let by_fit: BTreeMap<(&str, &str), &Row> =
        rows.iter().map(|r| ((r.record.fit_key.as_str(), r.asked().dataset.as_str()), r)).collect();
    for ((key, _), row) in by_fit {
        if let Some(record) = store.fit(key)? {
            found.push(Training {
                dataset: row.asked().dataset.clone(),
                method: row.method().to_owned(),
                version: row.fit().method.version,
                params: canonical_json(&row.asked().params),
                loss: record.report.loss,
            });
        }
    }
    Ok(found)
}

/// The figure of a data set's fits, or `None` where none has a loss.
pub(super) fn figure(title: &str, fits: &[Training], dataset: &str, style: &Style) -> Result<Option<Canvas>> {
    let panels = panels(fits, dataset);
    if panels.is_empty() {
        return Ok(None);
    }
    let most = if panels.len() == 4 { 2 } else { 3 };
    let note = format!("{dataset}: a line is one fit (a seed, and a fold where there are several)");
    let Page { mut canvas, corners, .. } = style.page((title, &note), (panels.len(), most), &PANEL, &[])?;
    for (i, ((label, fits), corner)) in panels.iter().zip(corners).enumerate() {
        panel(&mut canvas, (corner, (PANEL.width, PANEL.height)), label, fits, Look::of(i))?;
    }
    Ok(Some(canvas))
}

/// The fits of a data set that have a loss, by their method and its label.
pub(crate) fn panels<'t>(fits: &'t [Training], dataset: &str) -> Vec<(String, Vec<&'t Training>)> {
    let mut panels: BTreeMap<(&str, u32, &str), Vec<&Training>> = BTreeMap::new();
    for fit in fits.iter().filter(|f| f.dataset == dataset && f.loss.len() > 1) {
        panels.entry((&fit.method, fit.version, &fit.params)).or_default().push(fit);
    }
    let mut panels: Vec<_> = panels.into_iter().collect();
    panels.sort_by(|a, b| compare(a.0, b.0));
    let names: Vec<_> = panels.iter().map(|(name, _)| *name).collect();
    labels(&names).into_iter().zip(panels).map(|(label, (_, fits))| (label, fits)).collect()
}

/// The panel of a method, its left upper corner and its width and height.
pub(crate) fn panel(
    canvas: &mut Canvas,
    (corner, (width, height)): ((f64, f64), (f64, f64)),
    label: &str,
    fits: &[&Training],
    look: Look,
) -> Result<()> {
    let points = || fits.iter().flat_map(|f| &f.loss).filter(|(_, l)| l.is_finite());
    let (low, high) = points().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), (_, l)| (a.min(*l), b.max(*l)));
    let last = points().map(|(step, _)| *step).max().unwrap_or(1) as f64;
    // Losses such as 1/d span orders of magnitude: those are drawn on a logarithmic axis.
    let logarithmic = low > 0.0 && high / low > 20.0;
    let value = |l: f64| if logarithmic { l.log10() } else { l };
    let y = if logarithmic {
        let pad = 0.04 * (value(high) - value(low));
        Axis::decades("training loss (log scale)", value(low) - pad, value(high) + pad)
    } else {
        Axis::nice("training loss", low, high, f64::INFINITY, 7)
    };
    let x = Axis::nice("training step", 0.0, last, f64::INFINITY, 5);
    // A range that would end far beyond the last step is cut there.
    let high = if x.high <= 1.05 * last { x.high } else { last };
    let x = Axis { high, ticks: x.ticks.into_iter().filter(|t: &Tick| t.value <= high).collect(), ..x };
    let panel = Panel { at: corner, width, height, x, y };
    panel.draw(canvas, label)?;
    let opacity = (2.0 / fits.len() as f64).clamp(0.25, 0.9);
    for fit in fits {
        let finite = fit.loss.iter().filter(|(_, l)| l.is_finite() && (!logarithmic || *l > 0.0));
        let line: Vec<_> = finite.map(|(step, l)| panel.position(*step as f64, value(*l))).collect();
        canvas.line(&line, look.faint(opacity), 1.2);
    }
    Ok(())
}
