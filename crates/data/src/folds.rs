//! Splits that several data sets have.

use zsad_core::Fold;

/// A fold for each of `names`, which is tested while all others train.
pub fn leave_one_out(names: &[String]) -> Vec<Fold> {
    let fold = |i: usize| Fold {
        name: names[i].clone(),
        meta_train: (0..names.len()).filter(|&j| j != i).collect(),
        meta_test: vec![i],
    };
    (0..names.len()).map(fold).collect()
}
