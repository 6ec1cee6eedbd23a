//! The split of ten digits into meta-train and meta-test domains, for `digits` and `mnist`.

use std::collections::BTreeSet;

use zsad_core::{Error, Fold, ParamDefault, ParamKind, ParamSpec, Params, Result};

const DIGIT: ParamKind = ParamKind::IntList { min: 0, max: 9 };

/// `meta_train` and `meta_test`.
pub const PARAMS: &[ParamSpec] = &[
    ParamSpec {
        name: "meta_train",
        doc: "digits to train on",
        kind: DIGIT,
        default: ParamDefault::IntList(&[0, 1, 2, 3, 4, 5]),
    },
    ParamSpec {
        name: "meta_test",
        doc: "digits to test on, none of them in meta_train",
        kind: DIGIT,
        default: ParamDefault::IntList(&[6, 7, 8, 9]),
    },
];

/// Which digits train and which test; each of them is a domain.
pub struct DigitSplit {
    train: BTreeSet<u8>,
    test: BTreeSet<u8>,
}

impl DigitSplit {
    /// The split that `params` ask for.
    ///
    /// # Errors
    /// [`Error::Config`] where a digit is in both lists or none is tested.
    pub fn new(dataset: &str, params: &Params) -> Result<Self> {
        // The kind of the parameters keeps every item within 0 … 9.
        let list = |name| params.ints(name).into_iter().map(|d| d as u8).collect::<BTreeSet<_>>();
        let split = DigitSplit { train: list("meta_train"), test: list("meta_test") };
        if let Some(d) = split.train.intersection(&split.test).next() {
            return Err(Error::Config(format!("{dataset}: digit {d} is in both meta_train and meta_test")));
        }
        if split.test.is_empty() {
            return Err(Error::Config(format!("{dataset}: meta_test is empty")));
        }
        Ok(split)
    }

    /// The digits in use, ascending: the order of the domains.
    pub fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.train.union(&self.test).copied()
    }

    /// Whether `digit` is trained on.
    pub fn trains(&self, digit: u8) -> bool {
        self.train.contains(&digit)
    }

    /// The fold over the domains of [`DigitSplit::digits`].
    pub fn fold(&self) -> Fold {
        let (meta_train, meta_test) =
            (0..).zip(self.digits()).map(|(i, digit)| (i, self.trains(digit))).partition::<Vec<_>, _>(|(_, t)| *t);
        let indices = |v: Vec<(usize, bool)>| v.into_iter().map(|(i, _)| i).collect();
        Fold { name: String::new(), meta_train: indices(meta_train), meta_test: indices(meta_test) }
    }
}
