//! How many neighbours a method looks at.

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

impl HowMany {
    /// The number wanted among `n` points; there may be fewer.
    pub(crate) fn of(&self, n: usize) -> usize {
        if self.k_share > 0.0 { ((self.k_share * n as f64).round() as usize).max(1) } else { self.k }
    }
}
