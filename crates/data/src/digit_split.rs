//! The split of ten digits into meta-train and meta-test domains, for `digits`, `mnist` and `fashion_mnist`.

use std::collections::BTreeSet;

use zsad_core::{Fold, Result};

use crate::folds;

zsad_core::params! {
    /// Which digits train and which test; each of them is a domain.
    pub struct DigitSplit {
        /// digits (labels of classes) to train on
        meta_train: Vec<u8> = vec![0, 1, 2, 3, 4, 5], in 0..=9;
        /// digits (labels of classes) to test on, none of them in meta_train
        meta_test: Vec<u8> = vec![6, 7, 8, 9], in 0..=9;
    }
}

impl DigitSplit {
    /// Refuses a split that is none.
    ///
    /// # Errors
    /// [`zsad_core::Error::Config`] where a digit is in both lists or none is tested.
    pub fn check(&self, dataset: &str) -> Result<()> {
        folds::check(dataset, "digit", &self.meta_train, &self.meta_test)
    }

    /// The digits in use, ascending: the order of the domains.
    pub fn digits(&self) -> BTreeSet<u8> {
        self.meta_train.iter().chain(&self.meta_test).copied().collect()
    }

    /// Whether `digit` is trained on.
    pub fn trains(&self, digit: u8) -> bool {
        self.meta_train.contains(&digit)
    }

    /// The fold over the domains of [`DigitSplit::digits`].
    pub fn fold(&self) -> Fold {
        let numbered = || (0..).zip(self.digits());
        let of = |trains| numbered().filter(move |(_, d)| self.trains(*d) == trains).map(|(i, _)| i);
        Fold::single(of(true), of(false))
    }
}
