//! AnoShift: ten years of the Kyoto-2006+ network traffic, from the released Parquet files.
//!
//! The features are those of the released loaders: columns "4" … "12" as numbers, then the one-hot columns of "0", "1",
//! "2", "3" and "13" with the categories of the training files, unscaled. The loaders select columns by the substring
//! `num_`, which their one-hot columns (`catnum_…`) contain as well; on the released files this makes 570 features.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::seq::index;
use zsad_core::rng::stream;
use zsad_core::{DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, ReadBy, Result};

use crate::files;
use crate::formats::table::Table;
use crate::tabular::{Layout, Rows, Tabular, TabularDomain};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::tabular::<Anoshift>(&SPEC);

zsad_core::params! {
    /// Parameters of AnoShift.
    pub struct Anoshift {
        /// random normals kept of every training year, and the same share of its anomalies; 0: all. What is tested stays whole
        normals_per_year: usize = 5000, in 0..=100_000_000;
        /// which years to test on: iid (2006–2010), near (2011–2013), far (2014–2015)
        groups: Vec<String> = ["iid", "near", "far"].map(String::from).to_vec();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "anoshift",
    version: 2,
    summary: "AnoShift (Kyoto-2006+ network traffic, 2006–2015); each year a domain: trained on 2006–2010, tested on \
              held-out data of those years (iid_2006 …), on 2011–2013 (near_2011 …) and on 2014–2015 (far_2014 …)",
    citation: "Drăgoi, Burceanu, Haller, Manolache and Brad, AnoShift: A Distribution Shift Benchmark for Unsupervised \
               Anomaly Detection, NeurIPS 2022. Protocol: Li et al., Zero-Shot Anomaly Detection via Batch \
               Normalization, NeurIPS 2023",
    files: "anoshift/subset/<year>_subset.parquet of 2006–2015 and <year>_subset_valid.parquet of 2006–2010 \
            (or under anoshift/Kyoto-2016_AnoShift/subset/, as the archive unpacks)",
    test_params: &["groups"],
};

const HINT: &str = "fetch Kyoto-2016_AnoShift.tar, which github.com/bit-ml/AnoShift links to, and unpack it there";
const TRAIN_YEARS: [u32; 5] = [2006, 2007, 2008, 2009, 2010];
/// Test groups: name, years, ending of the file names.
const GROUPS: [(&str, &[u32], &str); 3] = [
    ("iid", &TRAIN_YEARS, "_subset_valid"),
    ("near", &[2011, 2012, 2013], "_subset"),
    ("far", &[2014, 2015], "_subset"),
];
const NUMERIC: [&str; 9] = ["4", "5", "6", "7", "8", "9", "10", "11", "12"];
const CATEGORICAL: [&str; 5] = ["0", "1", "2", "3", "13"];
const LABEL: &str = "18";

/// Files, each with the name of its domain.
type Named = Vec<(PathBuf, String)>;

impl Anoshift {
    /// The files of the training years, and those of the years to test on with the names of their domains.
    fn find(&self, data: &DataDir) -> Result<(Named, Named)> {
        let folders = ["anoshift/subset", "anoshift/Kyoto-2016_AnoShift/subset", "anoshift"];
        let folder = folders.into_iter().find(|f| data.path.join(f).is_dir()).unwrap_or(folders[0]);
        let file = |name: &str, year: u32, ending: &str| {
            let path = files::require(data, &format!("{folder}/{year}{ending}.parquet"), HINT)?;
            Ok((path, format!("{name}_{year}")))
        };
        let train = TRAIN_YEARS.iter().map(|&year| file("train", year, "_subset")).collect::<Result<_>>()?;
        let wanted = GROUPS.iter().filter(|(name, ..)| self.groups.iter().any(|w| w == name));
        let tests = wanted.flat_map(|(name, years, ending)| years.iter().map(move |&year| file(name, year, ending)));
        Ok((train, tests.collect::<Result<_>>()?))
    }
}

impl Load for Anoshift {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let (train, tests) = self.find(data)?;
        let list = |files: Vec<(PathBuf, String)>, by| DataFile::list(files.into_iter().map(|(path, _)| path), by);
        Ok([list(train, ReadBy::Training), list(tests, ReadBy::Tests)].concat())
    }

    fn check(&self) -> Result<()> {
        if let Some(stray) = self.groups.iter().find(|w| GROUPS.iter().all(|(name, ..)| name != w)) {
            return Err(Error::Config(format!("anoshift: there is no group `{stray}`; iid, near, far")));
        }
        if self.groups.is_empty() {
            return Err(Error::Config("anoshift: `groups` leaves no year to test on".into()));
        }
        Ok(())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let (train, tests) = self.find(data)?;
        let keep = self.normals_per_year;
        let mut reader = Reader { seen: Default::default(), learning: true, missing: 0 };
        let mut domains = Vec::new();
        for (path, name) in train {
            domains.push(reader.read(&path, name, keep)?);
        }
        let layout = reader.finish_learning(&mut domains);
        for (path, name) in tests {
            domains.push(reader.read(&path, name, 0)?);
        }
        let mut notes =
            vec![("features".into(), format!("{} numeric, {} one-hot", NUMERIC.len(), layout.dim() - NUMERIC.len()))];
        if reader.missing > 0 {
            // As the released loaders do (numpy.nan_to_num).
            notes.push(("missing numbers taken as 0".into(), reader.missing.to_string()));
        }
        let (split, end) = (TRAIN_YEARS.len(), domains.len());
        let fold = Fold::single(0..split, split..end);
        Ok(Arc::new(Tabular::new(SPEC.name, layout, domains, fold, true).with_notes(notes)))
    }
}

/// Reads year after year. While `learning`, a new category gets the next free code; afterwards codes are places in the
/// sorted list, and an unknown category gets one past the last.
struct Reader {
    seen: [BTreeMap<String, u32>; CATEGORICAL.len()],
    learning: bool,
    missing: usize,
}

impl Reader {
    /// The rows of `path`: `keep` random normals (0: all) and the same share of the anomalies, in their order.
    fn read(&mut self, path: &Path, name: String, keep: usize) -> Result<TabularDomain> {
        let columns: Vec<&str> = NUMERIC.into_iter().chain(CATEGORICAL).chain([LABEL]).collect();
        let table = Table::read(path, Some(&columns))?;
        let labels = labels(&table)?;
        let mut codes = Vec::new();
        for (column, seen) in CATEGORICAL.into_iter().zip(&mut self.seen) {
            let unknown = seen.len() as u32;
            let mut code = |value: String| match seen.get(&value) {
                Some(&code) => code,
                None if self.learning => {
                    let code = seen.len() as u32;
                    seen.insert(value, code);
                    code
                }
                None => unknown,
            };
            codes.push(table.text(column)?.into_iter().map(&mut code).collect::<Vec<u32>>());
        }
        let mut numbers = Vec::new();
        for column in NUMERIC {
            let mut values = table.numbers_or_nan(column)?;
            if let Some(row) = values.iter().position(|v| v.is_infinite()) {
                return Err(table.at(Some(row), column, "infinite"));
            }
            for value in values.iter_mut().filter(|v| v.is_nan()) {
                *value = 0.0;
                self.missing += 1;
            }
            numbers.push(values);
        }
        let mut domain = TabularDomain::new(name);
        for row in kept_rows(&labels, &domain.name, keep) {
            let pool = domain.pool_mut(labels[row]);
            pool.push(row, numbers.iter().map(|c| c[row]), codes.iter().map(|c| c[row]));
        }
        Ok(domain)
    }

    /// Ends the learning of categories: sorts them and puts their places into the rows read so far.
    fn finish_learning(&mut self, domains: &mut [TabularDomain]) -> Layout {
        self.learning = false;
        let mut positions = Vec::new();
        for seen in &mut self.seen {
            let mut position = vec![0; seen.len()];
            for (sorted, code) in seen.values_mut().enumerate() {
                position[*code as usize] = sorted as u32;
                *code = sorted as u32;
            }
            positions.push(position);
        }
        let recode = |rows: &mut Rows| {
            for row in rows.codes.chunks_exact_mut(CATEGORICAL.len()) {
                row.iter_mut().zip(&positions).for_each(|(code, position)| *code = position[*code as usize]);
            }
        };
        domains.iter_mut().flat_map(|d| [&mut d.normal, &mut d.anomalous]).for_each(recode);
        let names = CATEGORICAL.into_iter().zip(&self.seen);
        Layout {
            numeric: NUMERIC.map(str::to_owned).to_vec(),
            categorical: names.map(|(n, seen)| (n.to_owned(), seen.keys().cloned().collect())).collect(),
            ..Layout::default()
        }
    }
}

/// 1 is normal; −1 (a known attack) and −2 (an unknown one) are anomalous.
fn labels(table: &Table) -> Result<Vec<bool>> {
    let parse = |(row, value): (usize, f64)| match value {
        1.0 => Ok(false),
        -1.0 | -2.0 => Ok(true),
        _ => Err(table.at(Some(row), LABEL, format!("label {value} instead of 1, -1 or -2"))),
    };
    table.numbers(LABEL)?.into_iter().enumerate().map(parse).collect()
}

fn kept_rows(labels: &[bool], domain: &str, keep: usize) -> Vec<usize> {
    let with = |label: bool| (0..labels.len()).filter(|&i| labels[i] == label).collect::<Vec<_>>();
    let (mut normal, mut anomalous) = (with(false), with(true));
    if keep > 0 && keep < normal.len() {
        let share = keep as f64 / normal.len() as f64;
        let few = (anomalous.len() as f64 * share).round() as usize;
        let mut rng = stream(0, &[("purpose", "subset"), ("dataset", SPEC.name), ("domain", domain)]);
        for (rows, n) in [(&mut normal, keep), (&mut anomalous, few)] {
            *rows = index::sample(&mut rng, rows.len(), n).into_iter().map(|i| rows[i]).collect();
        }
    }
    let mut rows = [normal, anomalous].concat();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests;
