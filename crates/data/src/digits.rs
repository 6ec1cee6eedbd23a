//! UCI optical digits: 1,797 images of 8×8, embedded in a dependency, so that they need no data folder.

use std::sync::Arc;

use smartcore::dataset::digits;
use zsad_core::{
    AnomalySource, DataDir, Dataset, DatasetDef, DatasetSpec, Error, Kind, Params, PictureSpec, Result, Samples, Values,
};

use crate::digit_split::{self, DigitSplit};
use crate::memory::{InMemory, MemoryDomain};

/// The registry's entry.
pub const DEF: Digits = Digits;

/// UCI optical recognition of handwritten digits; see [`DEF`].
pub struct Digits;

static SPEC: DatasetSpec = DatasetSpec {
    name: "digits",
    version: 1,
    summary: "UCI optical digits, 1,797 images of 8×8 in 0 … 1; each digit a domain, some never seen in training",
    citation: "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository 1998, \
               doi:10.24432/C50P49; CC BY 4.0",
    files: "",
    params: digit_split::PARAMS,
};

impl DatasetDef for Digits {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    fn picture(&self, _params: &Params) -> Option<PictureSpec> {
        Some(PictureSpec::stretched(1, 8, 8))
    }

    fn open(&self, params: &Params, _dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let split = DigitSplit::new(SPEC.name, params)?;
        let source = digits::load_dataset();
        let d = source.num_features;
        if d != 64 {
            return Err(Error::failed(format!("the embedded digits have {d} pixels instead of 64")));
        }
        let domains = split.digits().map(|digit| {
            let rows = source.data.chunks_exact(d).zip(&source.target).filter(|(_, t)| **t == f32::from(digit));
            let values: Vec<f32> = rows.flat_map(|(row, _)| row.iter().map(|v| v / 16.0)).collect();
            MemoryDomain::normals(digit.to_string(), Samples::new(vec![1, 8, 8], Values::F32(values)))
        });
        let kind = Kind::Image { channels: 1, height: 8, width: 8 };
        let folds = vec![split.fold()];
        Ok(Arc::new(InMemory::new(SPEC.name, kind, domains.collect(), folds, AnomalySource::OtherDomains)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zsad_core::{Pool, SampleRef};

    fn open(given: serde_json::Value) -> Result<Arc<dyn Dataset>> {
        let params = Params::validate(SPEC.params, &serde_json::from_value(given).unwrap()).unwrap();
        DEF.open(&params, &DataDir::resolve(None))
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
                .map(|i| SampleRef { domain: d as u32, pool: Pool::Normal, index: i as u32 })
                .collect();
            let x = set.gather(&refs).unwrap();
            assert_eq!((x.len(), x.shape()), (domain.normal, &[1, 8, 8][..]));
            assert!(x.to_f32().iter().all(|v| (0.0..=1.0).contains(v)));
            sum += x.to_f64().iter().sum::<f64>();
        }
        assert!((sum / (1797.0 * 64.0) - 4.884_164_579_855_314 / 16.0).abs() < 1e-12);
        let first = set.gather(&[SampleRef { domain: 0, pool: Pool::Normal, index: 0 }]).unwrap();
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
