//! Histogram-based outlier score.

use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;

/// The registry's entry, as in PyOD: histograms of even width and unit area.
pub const DEF: Classical<Hbos> = Classical::new(&MethodSpec {
    name: "hbos",
    version: 1,
    summary: "sum over features of the negative logarithm of a histogram's density",
    citation: "Goldstein, Dengel: Histogram-based Outlier Score (HBOS), KI 2012",
    accepts: Accepts::ANY,
});

zsad_core::params! {
    /// Its parameters.
    pub struct Hbos {
        /// bins of a histogram
        pub bins: usize = 10, in 2..=1 << 20;
        /// added to every density, which keeps empty bins finite
        pub alpha: f64 = 0.1, in 1e-9..;
        /// how far beyond the histogram, in widths of a bin, a value still counts to the bin at the end; farther ones get the
        /// least density of all bins
        pub tol: f64 = 0.5, in 0.0..;
    }
}

/// The histogram of one feature.
pub(crate) struct Histogram {
    /// The ends of its bins, one more than there are bins.
    edges: Vec<f64>,
    /// log₂(density + α) of every bin.
    logs: Vec<f64>,
}

impl Hbos {
    /// As numpy makes it: a bin has its lower edge, and the last one both.
    fn histogram(&self, column: &[f64]) -> Histogram {
        let low = column.iter().copied().fold(f64::INFINITY, f64::min);
        let high = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let width = (high - low) / self.bins as f64;
        let edges: Vec<f64> = (0..self.bins).map(|i| i as f64 * width + low).chain([high]).collect();
        let mut counts = vec![0usize; self.bins];
        for value in column {
            let bin = edges.partition_point(|edge| edge <= value) - 1;
            counts[bin.min(self.bins - 1)] += 1;
        }
        let density = |(bin, count): (usize, usize)| count as f64 / (edges[bin + 1] - edges[bin]) / column.len() as f64;
        let logs = counts.into_iter().enumerate().map(|bin| (density(bin) + self.alpha).log2()).collect();
        Histogram { edges, logs }
    }

    /// As PyOD looks a value up: a bin has its upper edge.
    fn log_density(&self, Histogram { edges, logs }: &Histogram, value: f64) -> f64 {
        let (bins, below) = (self.bins, edges.partition_point(|edge| *edge < value));
        // How far beyond an end, in widths of the bin there.
        let beyond = match below {
            0 => (edges[0] - value) / (edges[1] - edges[0]),
            past if past > bins => (value - edges[bins]) / (edges[bins] - edges[bins - 1]),
            _ => 0.0,
        };
        match beyond > self.tol {
            true => logs.iter().copied().fold(f64::INFINITY, f64::min),
            false => logs[below.clamp(1, bins) - 1],
        }
    }
}

impl PointMethod for Hbos {
    /// One a feature.
    type Model = Vec<Histogram>;

    fn fit(&self, x: &Points, _: u64) -> Result<Vec<Histogram>> {
        Ok((0..x.dim()).map(|j| self.histogram(&x.column(j))).collect())
    }

    fn score(&self, histograms: &Vec<Histogram>, x: &Points, _: bool) -> Result<Vec<f64>> {
        let of = |row: &[f64]| row.iter().zip(histograms).map(|(&value, h)| -self.log_density(h, value)).sum();
        Ok(x.rows().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::{agree, x, y};

    // from pyod.models.hbos import HBOS; x and y as in math::testing
    // far = np.vstack([y, x[11] + 1.2, x[11] + 40, x.min(0) - .1])
    // for m in [HBOS(), HBOS(n_bins=4, alpha=.2, tol=.1)]: m.fit(x); print(m.decision_scores_[:12], m.decision_function(far))
    #[test]
    fn equals_pyod() {
        let x = x();
        let eleventh = x.select(&[11]);
        let moved = |by: f64| Points::from_values(eleventh.values().iter().map(|v| v + by).collect(), 5);
        let least = (0..5).map(|j| x.column(j).into_iter().fold(f64::INFINITY, f64::min) - 0.1).collect();
        let far = Points::concat([&y(), &moved(1.2), &moved(40.0), &Points::from_values(least, 5)]);
        agree(
            &in_batch(&Hbos::default(), &x),
            &[
                11.875546625247008,
                11.835263941330854,
                12.07252851626032,
                12.401181883489613,
                12.401181883489613,
                12.184917623917675,
                12.170396131280905,
                12.467166959509258,
                12.811484514055353,
                12.964597101893705,
                11.986668281897051,
                16.137573622714335,
            ],
            1e-12,
        );
        agree(
            &on_pool(&Hbos::default(), &x, &far),
            &[
                12.162486467239567,
                12.905160255793733,
                11.86406791082281,
                12.401181883489613,
                16.351725600227894,
                16.609640474436812,
                12.2168829216748,
            ],
            1e-12,
        );
        agree(
            &on_pool(&Hbos { bins: 4, alpha: 0.2, tol: 0.1 }, &x, &far),
            &[
                9.06501136794932,
                9.25355204755898,
                9.18694048667805,
                9.193732079724679,
                11.565512757260102,
                11.565512757260102,
                9.138917156854484,
            ],
            1e-12,
        );
    }

    // c = x.copy(); c[:, 2] = 7; print(HBOS().fit(c).decision_scores_[:4])
    #[test]
    fn a_constant_feature_is_no_trouble() {
        let values = x().values().iter().enumerate().map(|(i, &v)| if i % 5 == 2 { 7.0 } else { v }).collect();
        let scores = in_batch(&Hbos::default(), &Points::from_values(values, 5));
        agree(&scores, &[12.821840472372864, 12.833977543527489, 12.723669764571941, 13.052323131801234], 1e-12);
    }
}
