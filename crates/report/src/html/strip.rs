//! Scores of a batch and metrics of batches as small drawings.

use std::fmt::Write;

use super::drill::Batch;
use super::markup::Markup;
use super::svg::{picture, short};
use crate::table::headline;

/// Samples of a batch that are drawn of each kind.
pub(super) const MOST: usize = 160;
const WIDTH: f64 = 312.0;
/// Bars are drawn in a finer unit, so that whole numbers do: there are very many of them.
const FINE: f64 = 2.0;
const FOOT: f64 = 40.0 * FINE;
/// How far bars of anomalies reach below the others, so that colour is not all that tells them apart.
const BELOW: f64 = 6.0 * FINE;
/// Ranks that a description names.
const NAMED: usize = 12;

/// A dot a batch, along the metric.
pub(super) fn values(html: &mut Markup, batches: &[Batch]) {
    let values = || batches.iter().filter_map(|b| b.value.map(|v| v * 100.0));
    if values().count() < 2 {
        return;
    }
    let at = |v: f64| 4.0 + (WIDTH - 8.0) * v / 100.0;
    let lines: String = [0.0, 50.0, 100.0].map(|v| format!("M{} 1V23", short(at(v)))).concat();
    let mut dots = String::new();
    for (i, value) in values().enumerate() {
        // A fixed low-discrepancy offset keeps dots of equal value apart.
        let y = 12.0 + ((i as f64 * 0.618_033_988_75).fract() - 0.5) * 16.0;
        // Writing into a string cannot fail.
        let _ = write!(dots, "M{} {y:.0}h0", short(at(value)));
    }
    let about = format!("{} of {} batches, from 0 to 100", headline().label, batches.len());
    picture(html, (WIDTH, 24.0), &about, |html| {
        html.leaf("path", &[("class", &"line rule"), ("d", &lines)], "");
        html.leaf("path", &[("class", &"disc batches"), ("d", &dots)], "");
    });
}

/// A bar a sample, from the highest score to the lowest.
pub(super) fn ranked(html: &mut Markup, batch: &Batch) {
    let (scores, labels) = (&batch.scored.items, &batch.scored.labels);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let (Some(&first), Some(&last)) = (order.first(), order.last()) else { return };
    let (high, low) = (scores[first], scores[last]);
    let n = order.len();
    let step = WIDTH * FINE / n as f64;
    let thin = [false, true].map(|kind| labels.iter().filter(|l| **l == kind).count().div_ceil(MOST).max(1));
    let (mut bars, mut seen) = ([String::new(), String::new()], [0, 0]);
    for (rank, &i) in order.iter().enumerate() {
        let kind = usize::from(labels[i]);
        seen[kind] += 1;
        if (seen[kind] - 1) % thin[kind] > 0 {
            continue;
        }
        let share = if high > low { (scores[i] - low) / (high - low) } else { 0.5 };
        let (x, y) = ((step * (rank as f64 + 0.5)).round(), (FOOT - 4.0 - (FOOT - 8.0) * share).round());
        // Writing into a string cannot fail.
        let foot = if labels[i] { FOOT + BELOW } else { FOOT };
        let _ = write!(bars[kind], "M{x} {foot}V{y}");
    }
    let width = short((step * 0.7).clamp(1.0, 18.0));
    let ranks: Vec<usize> = order.iter().enumerate().filter(|(_, i)| labels[**i]).map(|(rank, _)| rank + 1).collect();
    picture(html, (WIDTH * FINE, FOOT + BELOW + 2.0), &description(n, &ranks), |html| {
        for (class, d) in [("line normal", &bars[0]), ("line anomalous", &bars[1])] {
            if !d.is_empty() {
                html.leaf("path", &[("class", &class), ("d", d), ("stroke-width", &width)], "");
            }
        }
    });
    if thin.iter().any(|t| *t > 1) {
        html.leaf("p", &[("class", &"note")], format_args!("Of {n} samples a part is drawn, evenly over their ranks."));
    }
}

fn description(n: usize, ranks: &[usize]) -> String {
    let named: Vec<String> = ranks.iter().take(NAMED).map(usize::to_string).collect();
    let more = if ranks.len() > NAMED { format!(" and {} more", ranks.len() - NAMED) } else { String::new() };
    match ranks.is_empty() {
        true => format!("Scores of {n} samples; none is anomalous"),
        false => format!("Scores of {n} samples; ranks of anomalies: {}{more}", named.join(", ")),
    }
}
