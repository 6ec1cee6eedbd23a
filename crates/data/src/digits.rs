//! UCI optical digits: 1,797 images of 8×8, embedded, so that they need no data folder.

use std::io::Read;
use std::sync::Arc;

use zsad_core::{
    AnomalySource, DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Load, Modality, PictureGeometry, Result,
    Samples, Values,
};

use crate::digit_split::DigitSplit;
use crate::memory::{InMemory, MemoryDomain};

/// The registry's entry: UCI optical recognition of handwritten digits.
pub const DEF: DatasetDef = DatasetDef::new::<Digits>(&SPEC);

/// All images, gzipped: a byte for the digit and 64 bytes of 0 … 16 each, in the order of the original test and training
/// files' join as scikit-learn's `load_digits` has it. Made by `scripts/make_digits.py`.
const IMAGES: &[u8] = include_bytes!("../assets/digits.bin.gz");
const PIXELS: usize = 64;

zsad_core::params! {
    /// Which digits train and which test.
    pub struct Digits {
        /// see [`DigitSplit`]
        split: DigitSplit = DigitSplit::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "digits",
    version: 1,
    summary: "UCI optical digits, 1,797 images of 8×8 in 0 … 1; each digit a domain, some never seen in training",
    citation: "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository 1998, \
               doi:10.24432/C50P49; CC BY 4.0",
    files: "",
    test_params: &["meta_test"],
};

impl Load for Digits {
    fn files(&self, _: &DataDir) -> Result<Vec<DataFile>> {
        Ok(vec![])
    }

    fn check(&self) -> Result<()> {
        self.split.check(SPEC.name)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(PictureGeometry::stretched(1, 8, 8))
    }

    fn open(&self, _: &DataDir) -> Result<Arc<dyn Dataset>> {
        let mut records = Vec::new();
        flate2::read::GzDecoder::new(IMAGES).read_to_end(&mut records).map_err(Error::failed)?;
        let domains = self.split.digits().into_iter().map(|digit| {
            let images = records.chunks_exact(1 + PIXELS).filter(|r| r[0] == digit);
            let values = images.flat_map(|r| &r[1..]).map(|&v| f32::from(v) / 16.0).collect();
            MemoryDomain::normals(digit.to_string(), Samples::new(vec![1, 8, 8], Values::F32(values)))
        });
        let modality = Modality::Image { channels: 1, height: 8, width: 8 };
        let folds = vec![self.split.fold()];
        Ok(Arc::new(InMemory::new(SPEC.name, modality, domains.collect(), folds, AnomalySource::OtherDomains)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zsad_core::{SampleRef, Subset};

    fn open(given: serde_json::Value) -> Result<Arc<dyn Dataset>> {
        crate::testing::open(&DEF, given, std::path::Path::new("none"))
    }

    #[test]
    fn all_1797_images_are_there_with_known_counts_and_mean() {
        let set = open(json!({})).unwrap();
        let info = set.info();
        // sklearn.datasets.load_digits(): numpy.bincount(target), data.mean() / 16, data[0].reshape(8, 8)[0] / 16
        let counts: Vec<_> = info.domains.iter().map(|d| d.normal).collect();
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let mut sum = 0.0;
        for (d, domain) in info.domains.iter().enumerate() {
            let refs: Vec<_> = (0..domain.normal)
                .map(|i| SampleRef { domain: d as u32, subset: Subset::Normal, index: i as u32 })
                .collect();
            let x = set.gather(&refs).unwrap();
            assert_eq!((x.len(), x.shape()), (domain.normal, &[1, 8, 8][..]));
            assert!(x.to_f32().iter().all(|v| (0.0..=1.0).contains(v)));
            sum += x.to_f64().iter().sum::<f64>();
        }
        assert!((sum / (1797.0 * 64.0) - 4.884_164_579_855_314 / 16.0).abs() < 1e-12);
        let first = set.gather(&[SampleRef { domain: 0, subset: Subset::Normal, index: 0 }]).unwrap();
        assert_eq!(first.to_f32()[..8], [0.0, 0.0, 0.3125, 0.8125, 0.5625, 0.0625, 0.0, 0.0]);
    }

    #[test]
    fn the_split_follows_its_params() {
        let set = open(json!({"meta_train": [7, 1], "meta_test": [0]})).unwrap();
        let names: Vec<_> = set.info().domains.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["0", "1", "7"]);
        assert_eq!((&set.info().folds[0].meta_train, &set.info().folds[0].meta_test), (&vec![1, 2], &vec![0]));
        let message = |given| open(given).err().unwrap().to_string();
        assert_eq!(message(json!({"meta_train": [6]})), "digits: digit 6 is in both meta_train and meta_test");
        assert_eq!(message(json!({"meta_test": []})), "digits: meta_test is empty");
    }
}
