//! CIFAR-10-C: CIFAR-10's test images under a corruption, as released or generated from the clean ones.

use std::sync::Arc;

use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Load, PictureGeometry, Result};

use crate::cifar::images;
use crate::cifar_c::{Corrupted, Protocol, Shift};
use crate::cifar10::{Cifar10, RELEASE};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Cifar10C>(&SPEC);

zsad_core::params! {
    /// Parameters of CIFAR-10-C.
    pub struct Cifar10C {
        /// shift_only: all 10 classes train with clean training images (domains train/<class>) and test with corrupted
        /// test images (test/<class>); unseen_classes: some classes train, the others test
        protocol: Protocol = Protocol::ShiftOnly;
        /// what is done to the test images
        corruption: Shift = Shift::GaussianNoise;
        /// how strongly
        severity: usize = 5, in 1..=5;
        /// see [`Cifar10`]
        clean: Cifar10 = Cifar10::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar10c",
    version: 1,
    summary: "CIFAR-10-C: trained on clean CIFAR-10, tested on corrupted test images, with the same classes \
              (shift_only) or others (unseen_classes)",
    citation: "Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and \
               Perturbations, ICLR 2019; CC BY 4.0. Protocol: Li et al., Zero-Shot Anomaly Detection via Batch \
               Normalization, NeurIPS 2023",
    files: "cifar10/cifar-10-batches-bin/*; CIFAR-10-C/<corruption>.npy and labels.npy, else the corruption is generated \
            from test_batch.bin with the published constants (all but frost and spatter) and the record says so",
    test_params: &["corruption", "severity"],
};

const FOLDER: &str = "CIFAR-10-C";

impl Cifar10C {
    fn corrupted(&self) -> Corrupted {
        Corrupted {
            release: &RELEASE,
            folder: FOLDER,
            hint: "put the files of CIFAR-10-C.tar (doi:10.5281/zenodo.2535967) there",
            corruption: self.corruption,
            severity: self.severity,
        }
    }
}

impl Load for Cifar10C {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        self.corrupted().files(data)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(images::spec(self.clean.normalise.then_some(RELEASE.scale)))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(self.corrupted().open(self.clean.chosen(SPEC.name), self.protocol, data)?))
    }
}

#[cfg(test)]
mod tests;
