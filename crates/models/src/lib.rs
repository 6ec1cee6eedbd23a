//! Methods of zsad: one file each behind one registry, with one conformance suite for all.
//!
//! A new method is one file that declares a [`MethodDef`] named `DEF`, its `mod` line and its line in [`METHODS`];
//! configuration, `zsad describe`, the documentation and the conformance suite ([`testing`]) read the slice.

#![cfg_attr(test, allow(clippy::excessive_precision, reason = "constants stand as the other program printed them"))]

use zsad_core::MethodDef;

pub mod acr_bce;
pub mod acr_dsvdd;
pub mod acr_ntl;
pub mod acr_patch;
mod augment;
pub mod autoencoder;
pub mod bn_distance;
pub mod classical;
pub mod copod;
pub mod deep_svdd;
pub mod ecod;
pub mod external;
pub mod gaussian_ad;
#[cfg(test)]
mod golden;
pub mod icl;
pub mod iforest;
pub mod knn;
pub mod lof;
pub mod mahalanobis;
mod meta;
pub mod msc;
mod network;
pub mod ntl;
pub mod oc_maml;
pub mod ocsvm;
pub mod oe;
mod official;
pub mod padim;
pub mod patchcore;
pub mod pca;
mod pooled;
pub mod resad;
pub mod resad_pp;
mod settings;
pub mod spade;
mod state;
mod tasks;
pub mod testing;
mod trained;
pub mod vision;

/// Every registered method, sorted by name.
pub const METHODS: &[&dyn MethodDef] = &[
    &acr_bce::DEF,
    &acr_dsvdd::DEF,
    &acr_ntl::DEF,
    &acr_patch::DEF,
    &autoencoder::DEF,
    &bn_distance::DEF,
    &copod::DEF,
    &deep_svdd::DEF,
    &ecod::DEF,
    &external::DEF,
    &gaussian_ad::DEF,
    &icl::DEF,
    &iforest::DEF,
    &knn::DEF,
    &lof::DEF,
    &mahalanobis::DEF,
    &msc::DEF,
    &ntl::DEF,
    &oc_maml::DEF,
    &ocsvm::DEF,
    &oe::DEF,
    &padim::DEF,
    &patchcore::DEF,
    &pca::DEF,
    &resad::DEF,
    &resad_pp::DEF,
    &spade::DEF,
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
