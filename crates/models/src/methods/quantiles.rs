//! Extreme values, feature by feature: a floor that warns of data on which nothing more is needed.

use zsad_core::{Accepts, MethodSpec, Result};

use crate::families::classical::{Classical, PointMethod};
use crate::math::Points;

/// The registry's entry. The paper's definition could not be read; this one is ours: the place u of a value among those of
/// its feature, half a tie counted, e = 2 |u − ½|, and the mean over features of −ln(1 − e).
pub const DEF: Classical<Quantiles> = Classical::new(&MethodSpec {
    name: "quantiles",
    version: 1,
    summary: "how extreme each feature's value is, averaged over features: where it is as good as the rest, the data are easy",
    citation: "after Röchner et al.: a trivial algorithm that checks single features for extreme values, arXiv 2507.15584",
    accepts: Accepts::ANY,
});

zsad_core::choices! {
    /// How features are joined.
    pub enum Joined {
        /// The mean of −ln(1 − e).
        MeanLog = "mean_log",
        /// The mean of e.
        Mean = "mean",
        /// The greatest e.
        Max = "max",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct Quantiles {
        /// mean_log: the mean of −ln(1 − e); mean: that of e; max: the greatest e, which has many ties
        pub pool: Joined = Joined::MeanLog;
    }
}

impl PointMethod for Quantiles {
    /// The values of every feature, rising.
    type Model = Vec<Vec<f64>>;

    fn fit(&self, x: &Points, _: u64) -> Result<Vec<Vec<f64>>> {
        let sorted = |j| {
            let mut column = x.column(j);
            column.sort_unstable_by(f64::total_cmp);
            column
        };
        Ok((0..x.dim()).map(sorted).collect())
    }

    fn score(&self, columns: &Vec<Vec<f64>>, x: &Points, fitted: bool) -> Result<Vec<f64>> {
        let extreme = |(&value, column): (&f64, &Vec<f64>)| {
            // A value that was not fitted on counts as one more.
            let own = f64::from(u8::from(!fitted));
            let less = column.partition_point(|v| *v < value) as f64;
            let upto = column.partition_point(|v| *v <= value) as f64;
            2.0 * ((less + upto + own) / 2.0 / (column.len() as f64 + own) - 0.5).abs()
        };
        let score = |row: &[f64]| {
            let extremes = row.iter().zip(columns).map(extreme);
            let d = columns.len() as f64;
            match self.pool {
                Joined::MeanLog => extremes.map(|e| -(1.0 - e).ln()).sum::<f64>() / d,
                Joined::Mean => extremes.sum::<f64>() / d,
                Joined::Max => extremes.fold(0.0, f64::max),
            }
        };
        Ok(x.rows().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::classical::testing::{in_batch, on_pool};
    use crate::math::testing::agree;

    // import numpy as np; from scipy.stats import rankdata
    // x = np.array([[1, 5, 0], [2, 5, 0], [3, 9, 0], [10, 1, 0], [4, 6, 1]], float)
    // e = 2 * abs((rankdata(x, axis=0) - .5) / len(x) - .5); print(-np.log(1 - e).mean(1), e.mean(1), e.max(1))
    #[test]
    fn equals_ranks_of_scipy() {
        let x = Points::from_values(vec![1., 5., 0., 2., 5., 0., 3., 9., 0., 10., 1., 0., 4., 6., 1.], 3);
        let of = |pool| in_batch(&Quantiles { pool }, &x);
        agree(&of(Joined::MeanLog), &[0.685241672, 0.319037575, 0.610860488, 1.147339792, 0.87702972], 1e-8);
        agree(&of(Joined::Mean), &[0.4, 0.266666667, 0.333333333, 0.6, 0.533333333], 1e-8);
        agree(&of(Joined::Max), &[0.8, 0.4, 0.8, 0.8, 0.8], 1e-12);
        // Beyond all of a pool: u is ½ / 6, e 5/6.
        let far = Points::from_values(vec![-9., -9., -9.], 3);
        agree(&on_pool(&Quantiles { pool: Joined::Mean }, &x, &far), &[5.0 / 6.0], 1e-12);
    }
}
