//! EfficientNet-Lite0 with its real weights, against PyTorch; ignored where the weights are not there.

mod common;

use libtest_mimic::{Arguments, Trial};
use zsad_backbones::{Backbone, BackboneKind};
use zsad_core::DataDir;

fn main() {
    let kind = BackboneKind::EfficientNetLite0;
    let name = "efficientnet_lite0_with_its_real_weights_is_pytorchs";
    let trial = match Backbone::weights_file(kind, &DataDir::resolve(None)) {
        Ok(path) => Trial::test(name, move || {
            common::compare(kind, &zsad_nn::weights::read(&path)?);
            Ok(())
        }),
        Err(e) => Trial::test(format!("{name} ({e})"), move || Err(e.into())).with_ignored_flag(true),
    };
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}
