//! A user's own table: CSV or Parquet, one column the domain, perhaps one the label, the others features.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, ReadBy, Required, Result, suggest,
};

use crate::files;
use crate::formats::table::Table;
use crate::tabular::{self, Layout, Tabular, TabularDomain};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::tabular::<UserTable>(&SPEC);

zsad_core::params! {
    /// How a user's own table is read.
    pub struct UserTable {
        /// CSV (with a header; .tsv: tabs) or Parquet (.parquet)
        file: Required<String> = Required::default();
        /// column that names the domain of a row: class, year, machine
        domain: Required<String> = Required::default();
        /// column with 0, false, normal or 1, true, anomalous; empty: all rows count as normal, and test anomalies come
        /// from other domains
        label: String = String::new();
        /// columns to use; empty: all but the domain and the label
        features: Vec<String> = vec![];
        /// features to write as one-hot columns; empty: those that hold text and not mostly numbers
        categorical: Vec<String> = vec![];
        /// domains to train on; empty: all that are not in meta_test
        meta_train: Vec<String> = vec![];
        /// domains to test on; empty: those not in meta_train, and without that either, the last third of the domains in
        /// sorted order
        meta_test: Vec<String> = vec![];
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "table",
    version: 1,
    summary: "your own CSV or Parquet table: one column names the domain of a row, one may label it, the others are \
              features (numeric ones first, then the one-hot columns)",
    citation: "your own data",
    files: "the file named by `file`: absolute, in the data folder, or in the current folder",
    test_params: &[],
};

/// More categories than this in one column are taken for a mistake, such as an identifier.
const MAX_CATEGORIES: usize = 1000;

impl Load for UserTable {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        Ok(DataFile::list([locate(data, &self.file)?], ReadBy::Both))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let path = locate(data, &self.file)?;
        let table = Table::read(&path, None)?;
        let (domain, label) = (self.domain.as_str(), Some(self.label.as_str()).filter(|l| !l.is_empty()));
        let mut features = self.features.clone();
        if features.is_empty() {
            features = table.names().into_iter().filter(|n| n != domain && Some(n.as_str()) != label).collect();
        }
        for (role, name) in [("domain", Some(domain)), ("label", label)] {
            if let Some(name) = name.filter(|n| features.iter().any(|f| f == n)) {
                return Err(Error::Config(format!("table: the {role} column `{name}` cannot be a feature too")));
            }
        }
        let labels = label.map(|column| labels(&table, column)).transpose()?;
        let columns = Columns::read(&table, &features, &self.categorical)?;
        let row_domains = table.text(domain)?;
        let names = sorted_domains(&row_domains);
        let position: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let mut domains: Vec<_> = names.iter().map(TabularDomain::new).collect();
        for (row, name) in row_domains.iter().enumerate() {
            let anomalous = labels.as_ref().is_some_and(|l| l[row]);
            let pool = domains[position[name.as_str()]].pool_mut(anomalous);
            pool.push(columns.numeric.iter().map(|c| c[row]), columns.codes.iter().map(|c| c[row]));
        }
        let genuine = labels.is_some_and(|l| l.contains(&true));
        let fold = fold(&names, &self.meta_train, &self.meta_test)?;
        Ok(Arc::new(Tabular::new(SPEC.name, columns.layout, domains, fold, genuine)))
    }
}

fn locate(data: &DataDir, file: &str) -> Result<PathBuf> {
    let here = Path::new(file);
    if !data.path.join(file).exists() && here.exists() {
        return Ok(here.to_owned());
    }
    files::require(data, file, "name an existing file: absolute, in the data folder, or in the current folder")
}

fn labels(table: &Table, column: &str) -> Result<Vec<bool>> {
    let parse = |(row, text): (usize, String)| match text.trim().to_lowercase().as_str() {
        "0" | "0.0" | "false" | "normal" => Ok(false),
        "1" | "1.0" | "true" | "anomaly" | "anomalous" | "abnormal" => Ok(true),
        _ => Err(table.at(Some(row), column, format!("`{text}` is no label: 0, false, normal or 1, true, anomalous"))),
    };
    table.text(column)?.into_iter().enumerate().map(parse).collect()
}

/// The features, column by column.
struct Columns {
    layout: Layout,
    numeric: Vec<Vec<f64>>,
    codes: Vec<Vec<u32>>,
}

impl Columns {
    fn read(table: &Table, features: &[String], categorical: &[String]) -> Result<Self> {
        if let Some(stray) = categorical.iter().find(|c| !features.contains(c)) {
            return Err(Error::Config(format!("table: categorical column `{stray}` is not among the features")));
        }
        let mut columns = Columns { layout: Layout::default(), numeric: vec![], codes: vec![] };
        for name in features {
            let one_hot = if categorical.is_empty() { table.is_text(name)? } else { categorical.contains(name) };
            if !one_hot {
                columns.layout.numeric.push(name.clone());
                columns.numeric.push(table.numbers(name)?);
                continue;
            }
            if categorical.is_empty() {
                table.refuse_strays(name)?;
            }
            let values = table.text(name)?;
            let categories = tabular::categories(values.iter().map(String::as_str));
            if categories.len() > MAX_CATEGORIES {
                let n = categories.len();
                let why =
                    format!("{n} different values are too many for one-hot columns; leave it out with `features`");
                return Err(table.at(None, name, why));
            }
            let number = columns.layout.categorical.len();
            columns.layout.categorical.push((name.clone(), categories));
            columns.codes.push(values.iter().map(|v| columns.layout.code(number, v)).collect());
        }
        if columns.layout.dim() == 0 {
            return Err(Error::Config("table: there is no feature column".into()));
        }
        Ok(columns)
    }
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
