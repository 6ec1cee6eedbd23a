//! A user's own table: CSV or Parquet, one column the domain, perhaps one the label, the others features.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, Missing, ReadBy, Required, Result, suggest,
};

use crate::columns::{self, Encoded, OneHot, TrainingRows};
use crate::files;
use crate::formats::table::{Csv, Table};
use crate::tabular::{Tabular, TabularDomain};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::tabular::<UserTable>(&SPEC);

zsad_core::params! {
    /// How a user's own table is read.
    pub struct UserTable {
        /// CSV (with a header) or Parquet (.parquet)
        file: Required<String> = Required::default();
        /// column that names the domain of a row: class, year, machine
        domain: Required<String> = Required::default();
        /// column with 0, false, normal or 1, true, anomalous; empty: all rows count as normal, and test anomalies come
        /// from other domains
        label: String = String::new();
        /// what the label column's own words mean, such as {benign: 0, attack: 1}; empty: the words above
        label_map: BTreeMap<String, bool> = BTreeMap::new();
        /// what separates the fields of a CSV file: one character, or tab; empty: guessed from its header
        separator: String = String::new();
        /// columns to use; empty: all but the domain, the label and those in exclude
        features: Vec<String> = vec![];
        /// columns to leave out, such as identifiers and times
        exclude: Vec<String> = vec![];
        /// features to write as one-hot columns; empty: those that hold text and not mostly numbers
        categorical: Vec<String> = vec![];
        /// a value that is not there (an empty field, NA, ?, nan). fail: an error that counts them; median: the median over
        /// the normal training rows, and in a column of text a category of its own; indicator: the same with a 0/1 column
        /// beside every number that is missing in some training row
        missing: Missing = Missing::Fail;
        /// domains to train on; empty: all that are not in meta_test
        meta_train: Vec<String> = vec![];
        /// domains to test on; empty: those not in meta_train, and without that either, the last third of the domains in
        /// sorted order
        meta_test: Vec<String> = vec![];
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "table",
    // 2: categories are those of the training rows.
    version: 2,
    summary: "your own CSV or Parquet table: one column names the domain of a row, one may label it, the others are \
              features (numeric ones first, then the one-hot columns, of the categories that the training rows hold)",
    citation: "your own data",
    files: "the file named by `file`: absolute, in the data folder, or in the current folder",
    test_params: &[],
};

impl Load for UserTable {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        Ok(DataFile::list([locate(data, &self.file)?], ReadBy::Both))
    }

    fn check(&self) -> Result<()> {
        self.separator().map(|_| ())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let path = locate(data, &self.file)?;
        let table = Table::read_as(&path, None, Csv { separator: self.separator()? })?;
        for remark in table.remarks() {
            tracing::warn!("{}: {remark}", path.display());
        }
        let (domain, label) = (self.domain.as_str(), Some(self.label.as_str()).filter(|l| !l.is_empty()));
        let features = self.features(&table, domain, label)?;
        let labels = label.map(|column| self.labels(&table, column)).transpose()?;
        let row_domains = table.text(domain)?;
        let names = sorted_domains(&row_domains);
        let fold = fold(&names, &self.meta_train, &self.meta_test)?;
        let position: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();

        let is_anomalous = |row: usize| labels.as_ref().is_some_and(|l| l[row]);
        let trains = |row: &usize| fold.meta_train.contains(&position[row_domains[*row].as_str()]);
        let all: Vec<usize> = (0..table.height()).filter(trains).collect();
        let normal = all.iter().copied().filter(|&row| !is_anomalous(row)).collect();
        // Where nothing trains, the whole table has to say what it holds.
        let training = if all.is_empty() { TrainingRows::whole(table.height()) } else { TrainingRows { all, normal } };
        let one_hot = if self.categorical.is_empty() { OneHot::Text } else { OneHot::These(&self.categorical) };
        let layout = columns::learn(&table, &features, one_hot, self.missing, &training)?;
        if layout.dim() == 0 {
            return Err(Error::Config("table: there is no feature column".into()));
        }
        let encoded = Encoded::read(&table, &layout)?;

        let mut domains: Vec<_> = names.iter().map(TabularDomain::new).collect();
        for (row, name) in row_domains.iter().enumerate() {
            let pool = domains[position[name.as_str()]].pool_mut(is_anomalous(row));
            pool.push(row, encoded.numeric.iter().map(|c| c[row]), encoded.codes.iter().map(|c| c[row]));
        }
        let genuine = labels.is_some_and(|l| l.contains(&true));
        let mut notes: Vec<_> =
            encoded.found.unseen_said().into_iter().map(|said| ("unseen values".into(), said)).collect();
        if !genuine {
            notes.push(("anomalies".into(), "rows of other domains".into()));
        }
        Ok(Arc::new(Tabular::new(SPEC.name, layout, domains, fold, genuine).with_notes(notes)))
    }
}

impl UserTable {
    fn separator(&self) -> Result<Option<u8>> {
        match self.separator.as_bytes() {
            [] => Ok(None),
            b"tab" | b"\\t" => Ok(Some(b'\t')),
            [one] if one.is_ascii() => Ok(Some(*one)),
            _ => {
                let hint = "one character such as `;`, or `tab`";
                Err(Error::Config(format!("table: `{}` separates no fields; hint: {hint}", self.separator)))
            }
        }
    }

    /// The columns that are features.
    fn features(&self, table: &Table, domain: &str, label: Option<&str>) -> Result<Vec<String>> {
        table.require(&self.exclude.iter().map(String::as_str).collect::<Vec<_>>())?;
        for (role, name) in [("domain", Some(domain)), ("label", label)] {
            if let Some(name) = name.filter(|n| self.features.iter().any(|f| f == n)) {
                return Err(Error::Config(format!("table: the {role} column `{name}` cannot be a feature too")));
            }
        }
        if let Some(both) = self.features.iter().find(|f| self.exclude.contains(f)) {
            return Err(Error::Config(format!("table: column `{both}` is in both features and exclude")));
        }
        let mut features = self.features.clone();
        if features.is_empty() {
            features = table.names();
            features.retain(|n| n != domain && Some(n.as_str()) != label && !self.exclude.contains(n));
        }
        if let Some(stray) = self.categorical.iter().find(|c| !features.contains(c)) {
            return Err(Error::Config(format!("table: categorical column `{stray}` is not among the features")));
        }
        Ok(features)
    }

    fn labels(&self, table: &Table, column: &str) -> Result<Vec<bool>> {
        let known: Vec<&str> = self.label_map.keys().map(String::as_str).collect();
        let parse = |(row, text): (usize, String)| match text.trim() {
            text if !self.label_map.is_empty() => self.label_map.get(text).copied().ok_or_else(|| {
                table.at(Some(row), column, format!("`{text}` is not in label_map: {}", known.join(", ")))
            }),
            text => match text.to_lowercase().as_str() {
                "0" | "0.0" | "false" | "normal" => Ok(false),
                "1" | "1.0" | "true" | "anomaly" | "anomalous" | "abnormal" => Ok(true),
                _ => {
                    let why = "is no label: 0, false, normal or 1, true, anomalous; others with `label_map: {word: 0}`";
                    Err(table.at(Some(row), column, format!("`{text}` {why}")))
                }
            },
        };
        table.text(column)?.into_iter().enumerate().map(parse).collect()
    }
}

fn locate(data: &DataDir, file: &str) -> Result<PathBuf> {
    let here = Path::new(file);
    if !data.path.join(file).exists() && here.exists() {
        return Ok(here.to_owned());
    }
    files::require(data, file, "name an existing file: absolute, in the data folder, or in the current folder")
}

/// The domains that occur: as numbers where all are numbers, else as text, ascending.
fn sorted_domains(rows: &[String]) -> Vec<String> {
    let distinct: HashSet<&String> = rows.iter().collect();
    let mut names: Vec<String> = distinct.into_iter().cloned().collect();
    names.sort();
    let numbers: Option<Vec<f64>> = names.iter().map(|n| n.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
        names = order.into_iter().map(|i| names[i].clone()).collect();
    }
    names
}

fn fold(names: &[String], train: &[String], test: &[String]) -> Result<Fold> {
    let indices = |wanted: &[String]| {
        let position = |w: &String| {
            names.iter().position(|n| n == w).ok_or_else(|| {
                Error::Config(format!("table: there is no domain `{w}`; hint: {}", suggest::hint(w, names)))
            })
        };
        let mut positions = wanted.iter().map(position).collect::<Result<Vec<usize>>>()?;
        positions.sort_unstable();
        positions.dedup();
        Ok::<_, Error>(positions)
    };
    let all = 0..names.len();
    let (train, test) = (indices(train)?, indices(test)?);
    let (meta_train, meta_test): (Vec<usize>, Vec<usize>) = match (train.is_empty(), test.is_empty()) {
        (true, true) => all.partition(|i| *i < names.len() - names.len().div_ceil(3)),
        (true, false) => (all.filter(|i| !test.contains(i)).collect(), test),
        (false, true) => (train.clone(), all.filter(|i| !train.contains(i)).collect()),
        (false, false) => (train, test),
    };
    if let Some(&both) = meta_train.iter().find(|i| meta_test.contains(i)) {
        return Err(Error::Config(format!("table: domain `{}` is in both meta_train and meta_test", names[both])));
    }
    if meta_test.is_empty() {
        return Err(Error::Config("table: meta_train leaves no domain to test on".into()));
    }
    Ok(Fold::single(meta_train, meta_test))
}

#[cfg(test)]
mod tests;
