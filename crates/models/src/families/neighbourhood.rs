//! How many neighbours a method looks at, and what it makes of them.

zsad_core::params! {
    /// A number of neighbours, or a share of the points.
    pub struct HowMany {
        /// number of neighbours; all others where there are fewer
        pub k: usize = 5, in 1..=1 << 32;
        /// number of neighbours as a share of the points that are fitted on (in a batch, of the batch): round(share · n),
        /// 1 at least; it takes the place of k; 0: off. A batch with a share r of anomalies that resemble each other wants
        /// more than r
        pub k_share: f64 = 0.0, in 0.0..=1.0;
    }
}

zsad_core::choices! {
    /// What is made of a value that each of the neighbours has.
    pub enum Aggregate {
        /// The greatest.
        Largest = "largest",
        /// Their mean.
        Mean = "mean",
        /// Their median; of an even number the mean of both in the middle.
        Median = "median",
    }
}

impl HowMany {
    /// The number wanted among `n` points; there may be fewer.
    pub(crate) fn of(&self, n: usize) -> usize {
        if self.k_share > 0.0 { ((self.k_share * n as f64).round() as usize).max(1) } else { self.k }
    }
}

impl Aggregate {
    /// What is made of `values`; there is one at least.
    pub(crate) fn of(self, mut values: Vec<f64>) -> f64 {
        let k = values.len();
        match self {
            Aggregate::Largest => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
            Aggregate::Mean => values.iter().sum::<f64>() / k as f64,
            Aggregate::Median => {
                values.sort_unstable_by(f64::total_cmp);
                (values[(k - 1) / 2] + values[k / 2]) / 2.0
            }
        }
    }
}
