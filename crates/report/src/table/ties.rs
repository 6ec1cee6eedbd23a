//! Which methods of a column a paired test cannot part, and how small a difference it could have shown.

use std::collections::BTreeSet;

use zsad_core::MetricSpec;

use super::Entry;
use crate::stats::Matrix;

/// Ranks the numbers of a column, marks the best (all of them where they are equal), and finds which cannot be told apart:
/// pairs whose difference, over the domains and seeds that both were measured on, has a 95 % interval that contains 0.
pub(super) fn mark(column: &mut [(Entry, Option<Matrix>)], metric: &MetricSpec) {
    let worth = |e: &Entry| e.outcome.number().map(|s| if metric.higher_is_better { s.mean } else { -s.mean });
    let worths: Vec<Option<f64>> = column.iter().map(|(e, _)| worth(e)).collect();
    let numbers: Vec<(usize, f64)> = worths.iter().enumerate().filter_map(|(i, w)| Some((i, (*w)?))).collect();
    if numbers.len() < 2 {
        return;
    }
    let rank = |own: f64| 1 + numbers.iter().filter(|(_, other)| *other > own).count();
    for &(i, own) in &numbers {
        column[i].0.rank = Some(rank(own));
        column[i].0.best = rank(own) == 1;
    }
    let mut widths = Vec::new();
    for (n, &(i, first)) in numbers.iter().enumerate() {
        for &(j, second) in &numbers[n + 1..] {
            let difference = column[i].1.as_ref().zip(column[j].1.as_ref()).and_then(|(a, b)| a.less(b));
            let Some((mean, half)) = difference.and_then(|d| Some((d.mean()?, d.half_width()?))) else { continue };
            widths.push(half);
            for (own, other) in [((i, first), second), ((j, second), first)] {
                let entry = &mut column[own.0].0;
                entry.not_parted.insert(rank(own.1));
                if mean.abs() <= half {
                    entry.not_parted.insert(rank(other));
                    entry.tied |= rank(other) == 1 && !entry.best;
                }
            }
        }
    }
    widths.sort_by(f64::total_cmp);
    let resolution = crate::stats::quantile(&widths, 0.5);
    column.iter_mut().for_each(|(entry, _)| entry.resolution = resolution);
}

/// The ties of a column, as ranks: each is led by its best, and holds all that cannot be told from that one; those that
/// another holds whole are left out.
pub(super) fn groups(column: &[&Entry]) -> Vec<BTreeSet<usize>> {
    let mut led: Vec<(usize, BTreeSet<usize>)> = column
        .iter()
        .filter_map(|e| Some((e.rank?, e.not_parted.range(e.rank?..).copied().collect())))
        .filter(|(_, group): &(usize, BTreeSet<usize>)| group.len() > 1)
        .collect();
    led.sort();
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for (_, group) in led {
        if !groups.iter().any(|known| known.is_superset(&group)) {
            groups.push(group);
        }
    }
    groups
}

/// `1–3, 5`.
pub(crate) fn ranks(group: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &rank in group {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == rank => *last = rank,
            _ => runs.push((rank, rank)),
        }
    }
    let run =
        |(first, last): &(usize, usize)| if first == last { first.to_string() } else { format!("{first}–{last}") };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}
