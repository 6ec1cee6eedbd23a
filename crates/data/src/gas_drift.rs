//! UCI gas sensor array drift: the same six gases measured over 36 months while the sensors drift.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zsad_core::{
    AnomalySource, Choice, DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, Modality, ReadBy,
    Result, Samples, Tags, Values,
};

use crate::memory::{InMemory, MemoryDomain};
use crate::{files, folds};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::tabular::<GasDrift>(&SPEC);

zsad_core::choices! {
    /// A gas, or every gas in turn.
    pub enum Normal {
        /// Gas 1.
        Ethanol = "ethanol",
        /// Gas 2.
        Ethylene = "ethylene",
        /// Gas 3.
        Ammonia = "ammonia",
        /// Gas 4.
        Acetaldehyde = "acetaldehyde",
        /// Gas 5.
        Acetone = "acetone",
        /// Gas 6.
        Toluene = "toluene",
        /// Every gas in turn.
        Each = "each",
    }
}

zsad_core::params! {
    /// Parameters of the gas sensor array.
    pub struct GasDrift {
        /// the gas that is normal; each: every gas in turn, so that a batch gives up to six domains
        normal: Normal = Normal::Ethylene;
        /// batches to train on, early ones
        meta_train: Vec<usize> = vec![1, 2, 3, 4, 5], in 1..=10;
        /// batches to test on, none of them in meta_train
        meta_test: Vec<usize> = vec![6, 8, 9], in 1..=10;
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "gas_drift",
    version: 1,
    summary: "gas sensor array drift, 128 features of 16 sensors over 36 months; each collection batch a domain, one \
              gas normal, the other five its genuine anomalies",
    citation: "Vergara, Vembu, Ayhan, Ryan, Homer and Huerta, Chemical Gas Sensor Drift Compensation Using Classifier \
               Ensembles, Sensors and Actuators B 2012; UCI Machine Learning Repository, doi:10.24432/C5RP6W",
    files: "gas_drift/batch<N>.dat.gz (or unpacked, without .gz) of the batches in use",
    test_params: &["meta_test"],
};

/// The gases by their number in the files, from 1.
const GASES: [&str; 6] = ["ethanol", "ethylene", "ammonia", "acetaldehyde", "acetone", "toluene"];
const DIM: usize = 128;
const HINT: &str = "put the files batch1.dat … of the UCI data set there, gzipped or not";

impl GasDrift {
    /// The batches in use, ascending.
    fn batches(&self) -> BTreeSet<usize> {
        self.meta_train.iter().chain(&self.meta_test).copied().collect()
    }

    fn find(data: &DataDir, batch: usize) -> Result<PathBuf> {
        let name = format!("gas_drift/batch{batch}.dat");
        files::first_of(data, &[&format!("{name}.gz"), &name], HINT)
    }
}

impl Load for GasDrift {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let of = |batch| {
            let read_by = if self.meta_train.contains(&batch) { ReadBy::Training } else { ReadBy::Tests };
            Ok(DataFile::new(Self::find(data, batch)?, read_by))
        };
        self.batches().into_iter().map(of).collect()
    }

    fn check(&self) -> Result<()> {
        folds::check(SPEC.name, "batch", &self.meta_train, &self.meta_test)
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let (normal, each) = (self.normal.word(), self.normal == Normal::Each);
        let (mut domains, mut tags) = (Vec::new(), Vec::new());
        let mut fold = Fold::single([], []);
        for batch in self.batches() {
            let path = Self::find(data, batch)?;
            let gases = read_batch(&path)?;
            for (gas, of_gas) in GASES.iter().zip(&gases) {
                let rows = &of_gas.rows;
                if each && rows.is_empty() || !each && normal != *gas {
                    continue;
                }
                if rows.is_empty() {
                    let message = format!("the batch holds no {gas}, which is to be normal");
                    return Err(Error::data(
                        &path,
                        message,
                        "leave it out of meta_train and meta_test, or choose another gas",
                    ));
                }
                let others = || GASES.iter().zip(&gases).filter(|(g, _)| *g != gas);
                tags.push([of_gas.tags(gas), others().map(|(g, r)| r.tags(g)).fold(Tags::none(0), joined)]);
                let others: Vec<f64> = others().flat_map(|(_, r)| &r.rows).copied().collect();
                let samples = |values| Samples::new(vec![DIM], Values::F64(values));
                let role = if self.meta_train.contains(&batch) { &mut fold.meta_train } else { &mut fold.meta_test };
                role.push(domains.len());
                domains.push(MemoryDomain {
                    name: if each { format!("batch{batch}/{gas}") } else { format!("batch{batch}") },
                    normal: samples(rows.clone()),
                    anomalous: (!others.is_empty()).then(|| samples(others)),
                    reference: None,
                });
            }
        }
        let set = InMemory::new(SPEC.name, Modality::rows(DIM), domains, vec![fold], AnomalySource::Genuine)?;
        Ok(Arc::new(set.with_tags(tags)))
    }

    fn tags(&self) -> &'static [&'static str] {
        &["concentration", "gas"]
    }
}

/// The measurements of one gas in a batch.
#[derive(Default)]
struct Measured {
    /// Rows of [`DIM`] features, one after the other.
    rows: Vec<f64>,
    /// Parts per million by volume, a row each.
    concentration: Vec<f64>,
}

impl Measured {
    fn tags(&self, gas: &str) -> Tags {
        let n = self.concentration.len();
        let gases = (0..n).map(|_| Some(gas.to_owned()));
        Tags::none(n).words("gas", gases).numbers("concentration", self.concentration.iter().copied().map(Some))
    }
}

fn joined(mut all: Tags, more: Tags) -> Tags {
    all.append(more);
    all
}

/// The rows of one batch by gas. A line is `gas;concentration 1:v 2:v … 128:v`.
fn read_batch(path: &Path) -> Result<[Measured; 6]> {
    let mut gases: [Measured; 6] = Default::default();
    for (i, line) in files::text(path)?.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let bad = |why: String| Error::data(path, format!("line {}: {why}", i + 1), HINT);
        let mut fields = line.split_ascii_whitespace();
        let head = fields.next().unwrap_or_default();
        let read = head.split_once(';').and_then(|(gas, ppm)| Some((gas.parse().ok()?, ppm.parse().ok()?)));
        let read = read.filter(|(gas, ppm): &(usize, f64)| (1..=6).contains(gas) && ppm.is_finite());
        let (gas, ppm) =
            read.ok_or_else(|| bad(format!("`{head}` instead of a gas from 1 to 6 and a concentration")))?;
        let Measured { rows, concentration } = &mut gases[gas - 1];
        concentration.push(ppm);
        let start = rows.len();
        for (k, field) in fields.enumerate() {
            let value = field.split_once(':').filter(|(n, _)| n.parse() == Ok(k + 1)).and_then(|(_, v)| v.parse().ok());
            let value = value.filter(|v: &f64| v.is_finite());
            rows.push(value.ok_or_else(|| bad(format!("`{field}` instead of `{}:` and a finite number", k + 1)))?);
        }
        if rows.len() != start + DIM {
            return Err(bad(format!("{} features instead of {DIM}", rows.len() - start)));
        }
    }
    Ok(gases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;
    use zsad_core::Subset;

    fn line(gas: usize, value: f64) -> String {
        let features: Vec<_> = (1..=128).map(|k| format!("{k}:{}", value + f64::from(k))).collect();
        format!("{gas};10.0 {}\n", features.join(" "))
    }

    /// Two batches: 1 has gases 1, 2, 2; 6 has gases 2, 6.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("gas_drift")).unwrap();
        let batches = [(1, line(1, 0.5) + &line(2, 1000.0) + &line(2, 2000.0)), (6, line(2, 3000.0) + &line(6, -7.25))];
        for (n, text) in batches {
            std::fs::write(dir.path().join(format!("gas_drift/batch{n}.dat")), text).unwrap();
        }
        dir
    }

    #[test]
    fn one_gas_is_normal_and_the_others_anomalous() {
        let dir = folder();
        let params = json!({"meta_train": [1], "meta_test": [6]});
        let set = testing::open(&DEF, params, dir.path()).unwrap();
        let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal, d.anomalous)).collect();
        assert_eq!(sizes, [("batch1", 2, 1), ("batch6", 1, 1)]);
        assert_eq!((&set.info().folds[0].meta_train, &set.info().folds[0].meta_test), (&vec![0], &vec![1]));
        let anomalous = testing::subset(&*set, 1, Subset::Anomalous);
        let x = set.gather(&anomalous).unwrap();
        assert_eq!(x.to_f64()[..3], [-6.25, -5.25, -4.25]);
        let tags = set.tags(&anomalous).unwrap();
        assert_eq!(tags.get("gas").unwrap().word(0).as_deref(), Some("toluene"));
        assert_eq!(tags.get("concentration").unwrap().number(0), Some(10.0));
        let set =
            testing::open(&DEF, json!({"meta_train": [1], "meta_test": [6], "normal": "each"}), dir.path()).unwrap();
        let names: Vec<_> = set.info().domains.iter().map(|d| (d.name.as_str(), d.normal, d.anomalous)).collect();
        let wanted =
            [("batch1/ethanol", 1, 2), ("batch1/ethylene", 2, 1), ("batch6/ethylene", 1, 1), ("batch6/toluene", 1, 1)];
        assert_eq!(names, wanted);
        assert_eq!(set.info().folds[0].meta_test, [2, 3]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let dir = folder();
        let fails = |given| testing::open(&DEF, given, dir.path()).err().unwrap().to_string();
        let both = fails(json!({"meta_train": [1], "meta_test": [1]}));
        assert_eq!(both, "gas_drift: batch 1 is in both meta_train and meta_test");
        assert!(fails(json!({"meta_train": [2], "meta_test": [6]})).contains("batch2.dat.gz: not found"));
        let absent = fails(json!({"meta_train": [1], "meta_test": [6], "normal": "toluene"}));
        assert!(absent.contains("batch1.dat: the batch holds no toluene"), "{absent}");
        for (text, wanted) in [
            ("7;1 1:2".to_owned(), "line 1: `7;1` instead of a gas from 1 to 6"),
            (line(1, 0.0).replace(" 3:3 ", " 3:x "), "line 1: `3:x` instead of `3:` and a finite number"),
            (line(1, 0.0).replace(" 3:3 ", " 3:nan "), "line 1: `3:nan`"),
            (line(1, 0.0).replace(" 3:3 ", " "), "line 1: `4:4` instead of `3:`"),
            (line(2, 0.0) + "1;1 1:2 2:3", "line 2: 2 features instead of 128"),
        ] {
            std::fs::write(dir.path().join("gas_drift/batch1.dat"), text).unwrap();
            let message = fails(json!({"meta_train": [1], "meta_test": [6]}));
            assert!(message.contains(wanted), "{message}");
        }
    }

    #[test]
    fn it_knows_the_files_that_its_samples_depend_on() {
        let dir = folder();
        testing::knows_its_files(&DEF, json!({"meta_train": [1], "meta_test": [6]}), dir.path());
    }
}
