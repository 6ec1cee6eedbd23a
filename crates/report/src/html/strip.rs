//! Scores of a batch and metrics of batches as small drawings.

use std::fmt::Write;

use super::drill::Batch;
use super::markup::Markup;
use super::plots::percents;
use super::svg::{picture, shapes, short};
use crate::plots::axes::SMALL;
use crate::plots::canvas::{Anchor, Canvas, GREY, LIGHT};
use crate::table::headline;

/// Samples of a batch that are drawn of each kind.
pub(super) const MOST: usize = 160;
const WIDTH: f64 = 312.0;
/// Bars are drawn in a finer unit, so that whole numbers do: there are very many of them.
const FINE: f64 = 2.0;
const FOOT: f64 = 40.0 * FINE;
/// Ranks that a description names.
const NAMED: usize = 12;

/// A dot a batch, along the metric.
pub(super) fn values(html: &mut Markup, batches: &[Batch]) {
    let values = || batches.iter().filter_map(|b| b.value.map(|v| v * 100.0));
    if values().count() < 2 {
        return;
    }
    let axis = percents(values(), 5);
    let at = |v: f64| 12.0 + (WIDTH - 24.0) * (v - axis.low) / (axis.high - axis.low);
    let mut canvas = Canvas::new(WIDTH, 38.0);
    for tick in &axis.ticks {
        canvas.line(&[(at(tick.value), 2.0), (at(tick.value), 24.0)], LIGHT, 1.0);
        canvas.text((at(tick.value), 31.0), tick.label.join(" "), SMALL, GREY, Anchor::Middle);
    }
    let mut dots = String::new();
    for (i, value) in values().enumerate() {
        // A fixed low-discrepancy offset keeps dots of equal value apart.
        let y = 13.0 + ((i as f64 * 0.618_033_988_75).fract() - 0.5) * 16.0;
        // Writing into a string cannot fail.
        let _ = write!(dots, "M{} {y:.0}h0", short(at(value)));
    }
    let about = format!("{} of {} batches", headline().label, batches.len());
    picture(html, (WIDTH, canvas.height), &about, |html| {
        shapes(html, &canvas.shapes);
        html.leaf("path", &[("class", &"disc batches"), ("d", &dots), ("stroke-width", &5)], "");
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
    let (mut bars, mut dots, mut seen) = ([String::new(), String::new()], String::new(), [0, 0]);
    for (rank, &i) in order.iter().enumerate() {
        let kind = usize::from(labels[i]);
        seen[kind] += 1;
        if (seen[kind] - 1) % thin[kind] > 0 {
            continue;
        }
        let share = if high > low { (scores[i] - low) / (high - low) } else { 0.5 };
        let (x, y) = ((step * (rank as f64 + 0.5)).round(), (FOOT - 4.0 - (FOOT - 8.0) * share).round());
        // Writing into a string cannot fail.
        let _ = write!(bars[kind], "M{x} {FOOT}V{y}");
        if labels[i] {
            let _ = write!(dots, "M{x} {}h0", FOOT + 5.0 * FINE);
        }
    }
    let width = short((step * 0.7).clamp(1.0, 18.0));
    let dot = short(step.clamp(3.0, 10.0));
    let ranks: Vec<usize> = order.iter().enumerate().filter(|(_, i)| labels[**i]).map(|(rank, _)| rank + 1).collect();
    picture(html, (WIDTH * FINE, FOOT + 9.0 * FINE), &description(n, &ranks), |html| {
        for (class, d) in [("line normal", &bars[0]), ("line anomalous", &bars[1])] {
            if !d.is_empty() {
                html.leaf("path", &[("class", &class), ("d", d), ("stroke-width", &width)], "");
            }
        }
        if !dots.is_empty() {
            html.leaf("path", &[("class", &"disc anomalous"), ("d", &dots), ("stroke-width", &dot)], "");
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
