//! CIFAR-100-C: CIFAR-100's test images under a corruption, as released or generated from the clean ones.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::cifar::images;
use crate::cifar_c::{Corrupted, Protocol, Shift};
use crate::cifar100::{Cifar100, RELEASE};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Cifar100C>(&SPEC);

zsad_core::params! {
    /// Parameters of CIFAR-100-C.
    pub struct Cifar100C {
        /// shift_only: all 100 classes train with clean training images (domains train/<class>) and test with corrupted
        /// test images (test/<class>); unseen_classes: some classes train, the others test
        protocol: Protocol = Protocol::ShiftOnly;
        /// what is done to the test images
        corruption: Shift = Shift::GaussianNoise;
        /// how strongly
        severity: usize = 5, in 1..=5;
        /// see [`Cifar100`]
        clean: Cifar100 = Cifar100::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar100c",
    version: 1,
    summary: "CIFAR-100-C: trained on clean CIFAR-100, tested on corrupted test images, with the same classes \
              (shift_only) or others (unseen_classes)",
    citation: "Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and \
               Perturbations, ICLR 2019; CC BY 4.0. Protocol: Li et al., Zero-Shot Anomaly Detection via Batch \
               Normalization, NeurIPS 2023",
    files: "cifar100/cifar-100-binary/*; CIFAR-100-C/<corruption>.npy and labels.npy, else the corruption is generated \
            from test.bin with the published constants (all but frost and spatter) and the record says so",
    test_params: &["corruption", "severity"],
};

const FOLDER: &str = "CIFAR-100-C";

impl Cifar100C {
    fn corrupted(&self) -> Corrupted {
        Corrupted {
            release: &RELEASE,
            folder: FOLDER,
            hint: "put the files of CIFAR-100-C.tar (doi:10.5281/zenodo.3555552) there",
            corruption: self.corruption,
            severity: self.severity,
        }
    }
}

impl Load for Cifar100C {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        self.corrupted().files(data)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(images::spec(self.clean.normalise.then_some(RELEASE.scale)))
    }

    fn tags(&self) -> &'static [&'static str] {
        images::TAGS
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(self.corrupted().open(self.clean.chosen(SPEC.name), self.protocol, data)?))
    }
}

#[cfg(test)]
mod tests;
