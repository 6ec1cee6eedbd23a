//! Splits that several data sets have.

use std::fmt::Display;

use rand::seq::SliceRandom;
use zsad_core::rng::stream;
use zsad_core::{Error, Fold, Result};

/// A fold for each of `names`, which is tested while all others train.
pub fn leave_one_out(names: &[String]) -> Vec<Fold> {
    let rest = |i: usize| (0..names.len()).filter(move |&j| j != i);
    names.iter().enumerate().map(|(i, name)| Fold { name: name.clone(), ..Fold::single(rest(i), [i]) }).collect()
}

/// `n` domains, of which `train` train, drawn by `seed`.
pub fn shuffled(dataset: &str, n: usize, train: usize, seed: u64) -> Fold {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut stream(seed, &[("purpose", "split"), ("dataset", dataset)]));
    let mut meta_test = order.split_off(train);
    order.sort_unstable();
    meta_test.sort_unstable();
    Fold::single(order, meta_test)
}

/// Refuses a split that is none.
///
/// # Errors
/// [`Error::Config`] where a domain, a `what`, is in both lists or none is tested.
pub fn check<T: PartialEq + Display>(dataset: &str, what: &str, meta_train: &[T], meta_test: &[T]) -> Result<()> {
    match meta_train.iter().find(|d| meta_test.contains(d)) {
        Some(d) => Err(Error::Config(format!("{dataset}: {what} {d} is in both meta_train and meta_test"))),
        None if meta_test.is_empty() => Err(Error::Config(format!("{dataset}: meta_test is empty"))),
        None => Ok(()),
    }
}
