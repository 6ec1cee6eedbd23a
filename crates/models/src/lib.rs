//! Methods of zsad: one file each behind one registry, with one conformance suite for all.
//!
//! A new method is one file in `methods/` that declares a `DEF`, and its line in [`METHODS`]; configuration,
//! `zsad describe`, the documentation and the conformance suite read the slice. What methods share lies in `families/`
//! (how mathematics becomes a detector), `trained/` (networks, tasks, hyperparameters) and `math/`.

#![cfg_attr(test, allow(clippy::excessive_precision, reason = "constants stand as the other program printed them"))]

use zsad_core::MethodDef;

pub mod families;
pub mod math;
pub mod methods;
#[cfg(feature = "testing")]
pub mod testing;
mod trained;

use methods::*;

/// Every registered method, sorted by name.
pub const METHODS: &[&dyn MethodDef] = &[
    &acr_bce::DEF,
    &acr_dsvdd::DEF,
    &acr_ntl::DEF,
    &acr_patch::DEF,
    &af_clip::DEF,
    &anomaly_clip::DEF,
    &anomaly_dino::DEF,
    &autoencoder::DEF,
    &bn_distance::DEF,
    &clan::DEF,
    &copod::DEF,
    &deep_svdd::DEF,
    &dte_c::DEF,
    &dte_np::DEF,
    &ecod::DEF,
    &ensemble::DEF,
    &external::DEF,
    &gaussian_ad::DEF,
    &gmm::DEF,
    &goad::DEF,
    &hbos::DEF,
    &icl::DEF,
    &iforest::DEF,
    &inne::DEF,
    &kde::DEF,
    &knn::DEF,
    &lof::DEF,
    &mahalanobis::DEF,
    &mcd::DEF,
    &mcm::DEF,
    &msc::DEF,
    &musc::DEF,
    &nagl::DEF,
    &ntl::DEF,
    &oc_maml::DEF,
    &ocsvm::DEF,
    &oe::DEF,
    &padim::DEF,
    &patchcore::DEF,
    &pca::DEF,
    &pca_residual::DEF,
    &quantiles::DEF,
    &reference_distance::DEF,
    &resad::DEF,
    &resad_pp::DEF,
    &residual_norm::DEF,
    &simplenet_residual::DEF,
    &slad::DEF,
    &spade::DEF,
    &winclip::DEF,
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
