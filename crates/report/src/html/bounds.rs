//! How much of the batches a page holds, so that it stays a page.

use std::collections::BTreeMap;

use zsad_store::Row;

use super::drill::Batch;
use super::strip::MOST;
use crate::table::headline;

/// Bytes that all batches may take, about.
const BUDGET: usize = 600_000;

/// What is kept: so many domains of a method at a point (with their seeds), so many batches of each.
const LADDER: [(usize, usize); 9] = [
    (usize::MAX, usize::MAX),
    (usize::MAX, 8),
    (usize::MAX, 2),
    (usize::MAX, 1),
    (24, 2),
    (12, 2),
    (6, 2),
    (3, 2),
    (2, 1),
];

/// The first step of the ladder that is small enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    domains: usize,
    batches: usize,
}

impl Bounds {
    /// For the rows of a run of which these cells have scores.
    pub fn of(rows: &[Row], has_scores: impl Fn(&str) -> bool) -> Bounds {
        // (batches, samples of a batch) of the domains and seeds of each method at each point.
        let mut cells: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for row in rows.iter().filter(|r| r.result.n_batches > 0 && has_scores(&r.record.cell_key)) {
            let batches = row.result.n_batches;
            let samples = (row.result.n_normal + row.result.n_anomalous) / batches;
            let point = row.point();
            let key =
                format!("{:?} {:?} {:?}", row.method(), row.asked(), (point.size, point.contamination, point.shift));
            cells.entry(key).or_default().push((batches, samples));
        }
        let cost = |(domains, most): (usize, usize)| -> usize {
            let domain =
                |(n, samples): &(usize, usize)| 400 + 9 * n + (*n).min(most) * (340 + 9 * (*samples).min(MOST));
            let cell = |all: &Vec<(usize, usize)>| 300 + all.iter().take(domains).map(domain).sum::<usize>();
            cells.values().map(cell).sum()
        };
        let fits = LADDER.into_iter().find(|step| cost(*step) <= BUDGET);
        let (domains, batches) = fits.unwrap_or(LADDER[LADDER.len() - 1]);
        Bounds { domains, batches }
    }

    /// Keeps the worst domains and the best one; how many others there were.
    pub fn keep_domains(&self, rows: &mut Vec<&Row>) -> usize {
        let others = rows.len().saturating_sub(self.domains);
        if others > 0 {
            rows.sort_by(|a, b| worth(a.metric(headline().name)).total_cmp(&worth(b.metric(headline().name))));
            rows.drain(self.domains - 1..rows.len() - 1);
        }
        rows.sort_by(|a, b| (&a.result.domain, a.seed()).cmp(&(&b.result.domain, b.seed())));
        others
    }

    /// Keeps the worst batches and the best ones, the worst first; and says how many others there were.
    pub fn keep_batches<'a>(&self, mut batches: Vec<Batch<'a>>) -> (Vec<Batch<'a>>, usize) {
        let others = batches.len().saturating_sub(self.batches);
        if others > 0 {
            batches.sort_by(|a, b| worth(a.value).total_cmp(&worth(b.value)));
            let worst = self.batches.div_ceil(2);
            batches.drain(worst..batches.len() - (self.batches - worst));
        }
        (batches, others)
    }

    /// Which batches are there.
    pub fn batches_in_words(&self) -> String {
        match self.batches {
            1 => "Of each domain its worst batch is drawn".into(),
            2 => "Of each domain its worst batch and its best one are drawn".into(),
            n => format!("Of each domain its {} worst batches and its {} best ones are drawn", n.div_ceil(2), n / 2),
        }
    }

    /// Which domains are there.
    pub fn domains_in_words(&self) -> String {
        format!(
            "Of a method's domains and seeds at a protocol point the {} worst and the best one are here",
            self.domains - 1
        )
    }
}

/// What is not defined says nothing: it is neither worst nor best, and goes first.
fn worth(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::INFINITY)
}
