//! Methods of zsad: one file each behind one registry, with one conformance suite for all.
//!
//! A new method is one file that declares a [`MethodDef`] named `DEF`, its `mod` line and its line in [`METHODS`];
//! configuration, `zsad describe`, the documentation and the conformance suite ([`testing`]) read the slice.

use zsad_core::MethodDef;

pub mod acr_dsvdd;
pub mod bn_distance;
pub mod classical;
pub mod copod;
pub mod deep_svdd;
pub mod ecod;
pub mod iforest;
pub mod knn;
pub mod lof;
pub mod mahalanobis;
mod meta;
mod network;
pub mod ocsvm;
pub mod pca;
mod pooled;
mod settings;
mod tasks;
pub mod testing;
mod trained;

/// Every registered method, sorted by name.
pub const METHODS: &[&dyn MethodDef] = &[
    &acr_dsvdd::DEF,
    &bn_distance::DEF,
    &copod::DEF,
    &deep_svdd::DEF,
    &ecod::DEF,
    &iforest::DEF,
    &knn::DEF,
    &lof::DEF,
    &mahalanobis::DEF,
    &ocsvm::DEF,
    &pca::DEF,
];

/// The method that is called `name`.
pub fn find(name: &str) -> Option<&'static dyn MethodDef> {
    METHODS.iter().copied().find(|m| m.spec().name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_sorted_and_finds_every_name() {
        let names: Vec<_> = METHODS.iter().map(|m| m.spec().name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(names.iter().all(|n| find(n).is_some_and(|m| m.spec().name == *n)));
        assert!(find("no_such_method").is_none());
    }
}
