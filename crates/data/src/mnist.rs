//! MNIST from its original idx files: meta-train digits from the training files, meta-test digits from the test files.

use std::path::Path;
use std::sync::Arc;

use zsad_core::{
    AnomalySource, DataDir, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Domain, Error, Kind, Params, PictureSpec,
    Result,
};

use crate::digit_split::{self, DigitSplit};
use crate::files;
use crate::formats::idx::Idx;
use crate::images::ByteImages;

/// The registry's entry.
pub const DEF: Mnist = Mnist;

/// MNIST; see [`DEF`].
pub struct Mnist;

static SPEC: DatasetSpec = DatasetSpec {
    name: "mnist",
    version: 1,
    summary: "MNIST, 70,000 images of 28×28 in 0 … 1; each digit a domain, trained on the training files and tested on \
              the test files",
    citation: "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, \
               Proc. IEEE 1998",
    files: "mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz (or unpacked, without .gz)",
    params: digit_split::PARAMS,
};

const REMEDY: &str = "put the four original idx files of MNIST there, gzipped or not";
const SIDE: usize = 28;

impl DatasetDef for Mnist {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    fn picture(&self, _params: &Params) -> Option<PictureSpec> {
        Some(PictureSpec::stretched(1, SIDE, SIDE))
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let split = DigitSplit::new(SPEC.name, params)?;
        let digits: Vec<u8> = split.digits().collect();
        let mut pools = vec![Vec::new(); digits.len()];
        // The domain that takes a digit's images from these files, if any.
        let domain =
            |digit: u8, train| digits.iter().position(|&d| d == digit).filter(|_| split.trains(digit) == train);
        for (part, train) in [("train", true), ("t10k", false)] {
            if !digits.iter().any(|&d| split.trains(d) == train) {
                continue;
            }
            let find =
                |name: String| files::first_of(dir, &[&format!("mnist/{name}.gz"), &format!("mnist/{name}")], REMEDY);
            let labels = read_labels(&find(format!("{part}-labels-idx1-ubyte"))?)?;
            let path = find(format!("{part}-images-idx3-ubyte"))?;
            let images = Idx::open(&path, 3)?;
            if images.shape() != [labels.len(), SIDE, SIDE] {
                let message = format!("images of shape {:?} beside {} labels", images.shape(), labels.len());
                return Err(Error::data(&path, message, REMEDY));
            }
            images.for_each(|i, image| {
                if let Some(domain) = domain(labels[i], train) {
                    pools[domain].extend_from_slice(image);
                }
                Ok(())
            })?;
        }
        let sized = digits.iter().zip(&pools);
        let info = DatasetInfo {
            name: SPEC.name.into(),
            kind: Kind::Image { channels: 1, height: SIDE, width: SIDE },
            domains: sized.map(|(d, pool)| Domain::normals(d.to_string(), pool.len() / (SIDE * SIDE))).collect(),
            folds: vec![split.fold()],
            anomalies: AnomalySource::OtherDomains,
            notes: vec![],
        };
        Ok(Arc::new(ByteImages::new(info, pools)))
    }
}

fn read_labels(path: &Path) -> Result<Vec<u8>> {
    let file = Idx::open(path, 1)?;
    let mut labels = Vec::new();
    file.for_each(|i, label| match label[0] {
        0..=9 => {
            labels.push(label[0]);
            Ok(())
        }
        other => Err(Error::data(path, format!("label {i} is {other}, not a digit"), REMEDY)),
    })?;
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;
    use zsad_core::{Pool, SampleRef};

    fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        [magic].iter().chain(sizes).flat_map(|n| n.to_be_bytes()).chain(bytes.iter().copied()).collect()
    }

    /// A folder with 12 images, labels 0 … 9, 0, 1, in both parts; image `i` is filled with `i`, or 100 + `i` in t10k.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join("mnist").join(name);
        std::fs::create_dir(dir.path().join("mnist")).unwrap();
        for (part, base) in [("train", 0), ("t10k", 100)] {
            let pixels: Vec<u8> = (0..12 * 784).map(|p| base + (p / 784) as u8).collect();
            let labels: Vec<u8> = (0..12).map(|i| i % 10).collect();
            std::fs::write(at(&format!("{part}-images-idx3-ubyte")), idx(2051, &[12, 28, 28], &pixels)).unwrap();
            std::fs::write(at(&format!("{part}-labels-idx1-ubyte")), idx(2049, &[12], &labels)).unwrap();
        }
        dir
    }

    #[test]
    fn train_digits_come_from_the_training_files_and_test_digits_from_the_test_files() {
        let dir = folder();
        let set = testing::open(&DEF, json!({"meta_train": [0, 1], "meta_test": [9]}), dir.path()).unwrap();
        let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal)).collect();
        assert_eq!(sizes, [("0", 2), ("1", 2), ("9", 1)]);
        let refs = [(1, 1), (2, 0)].map(|(domain, index)| SampleRef { domain, pool: Pool::Normal, index });
        let x = set.gather(&refs).unwrap();
        assert_eq!(x.to_f32()[0], 11.0 / 255.0);
        assert_eq!(x.to_f32()[784], 109.0 / 255.0);
        assert!(set.gather(&[SampleRef { index: 2, ..refs[0] }]).is_err());
    }

    #[test]
    fn missing_and_damaged_files_are_named() {
        let dir = folder();
        let images = dir.path().join("mnist/t10k-images-idx3-ubyte");
        let fails = || testing::open(&DEF, json!({}), dir.path()).err().unwrap().to_string();
        let whole = std::fs::read(&images).unwrap();
        std::fs::write(&images, &whole[..whole.len() - 1]).unwrap();
        assert!(fails().contains("t10k-images-idx3-ubyte: damaged or truncated: item 11 of 12"), "{}", fails());
        std::fs::remove_file(&images).unwrap();
        let message = fails();
        assert!(message.contains("t10k-images-idx3-ubyte.gz: not found: the data folder searched is"), "{message}");
        assert!(message.contains("chosen by --data") && message.contains("four original idx files"), "{message}");
        std::fs::write(&images, whole).unwrap();
        std::fs::write(dir.path().join("mnist/t10k-labels-idx1-ubyte"), idx(2049, &[2], &[3, 10])).unwrap();
        assert!(fails().contains("label 1 is 10, not a digit"));
        std::fs::write(dir.path().join("mnist/t10k-labels-idx1-ubyte"), idx(2049, &[2], &[3, 9])).unwrap();
        assert!(fails().contains("images of shape [12, 28, 28] beside 2 labels"));
    }

    #[test]
    fn the_real_files_have_their_known_counts_and_mean() {
        let Some(dir) = testing::real_data("mnist") else { return };
        let (train, test): (Vec<u8>, Vec<u8>) = ((0..9).collect(), (0..10).collect());
        let counts = |set: &dyn Dataset| set.info().domains.iter().map(|d| d.normal).collect::<Vec<_>>();
        let set = testing::open(&DEF, json!({"meta_train": train, "meta_test": [9]}), &dir).unwrap();
        assert_eq!(counts(&*set), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 1009]);
        let set = testing::open(&DEF, json!({"meta_train": [], "meta_test": test}), &dir).unwrap();
        assert_eq!(counts(&*set), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
        // numpy.frombuffer(gzip.open("t10k-images-idx3-ubyte.gz").read()[16:], "u1").mean() / 255
        let x = set.gather(&testing::all_normals(&*set)).unwrap().to_f64().into_owned();
        assert!((x.iter().sum::<f64>() / x.len() as f64 - 0.132_514_605_842).abs() < 1e-7);
    }
}
