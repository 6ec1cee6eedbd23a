//! Published numbers: `results/reference/*.csv`.

use std::path::Path;

use polars_core::prelude::{DataType, Field as PolarsField, PolarsResult, Schema};
use serde::Deserialize;
use zsad_core::{Error, Result};

use zsad_store::frame;

/// One published number, in the unit of its source (per cent for every metric of zsad).
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// File it stands in.
    pub file: String,
    /// Line of that file.
    pub line: usize,
    /// Paper, as the file calls it.
    pub paper: String,
    /// Table of the paper.
    pub table: String,
    /// Data set, with `/domain` where it is of one domain.
    pub dataset: String,
    /// Protocol.
    pub setting: String,
    /// Method, as the source calls it.
    pub method: String,
    /// Metric, as the file calls it.
    pub metric: String,
    /// Anomaly ratio, as the source says it.
    pub anomaly_ratio: String,
    /// The number.
    pub mean: f64,
    /// Its spread, where one was printed.
    pub std: Option<f64>,
    /// Where it was read.
    pub source: String,
}

/// How a number came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Read in the paper or repository of the method's authors, or in a benchmark's own tables.
    Primary,
    /// Quoted, run again or implemented again by others.
    Secondary,
    /// Not published: measured independently of this program.
    Independent,
}

impl Published {
    /// How it came to be known, by the words of its source.
    pub fn origin(&self) -> Origin {
        const SIGNS: [&str; 6] =
            ["secondary", "third-party", "re-implementation", "not the authors", "quotes", "quoted by"];
        let said = [&self.paper, &self.table, &self.source].map(|s| s.to_lowercase()).concat();
        if said.contains("not a published number") {
            Origin::Independent
        } else if SIGNS.iter().any(|sign| said.contains(sign)) {
            Origin::Secondary
        } else {
            Origin::Primary
        }
    }
}

impl Origin {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Primary => "primary",
            Origin::Secondary => "secondary",
            Origin::Independent => "independent",
        }
    }
}

/// Which published number is meant: every given field must be equal, and exactly one line must fit.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are those of `Published`")]
pub struct Selector {
    pub file: String,
    pub paper: Option<String>,
    pub table: Option<String>,
    pub dataset: Option<String>,
    pub setting: Option<String>,
    pub method: Option<String>,
    pub metric: Option<String>,
    pub anomaly_ratio: Option<String>,
}

/// All published numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference {
    numbers: Vec<Published>,
}

const TEXTS: [&str; 8] = ["paper", "table", "dataset", "setting", "method", "metric", "anomaly_ratio", "source"];

impl Reference {
    /// Reads every CSV file of a folder.
    ///
    /// # Errors
    /// [`Error::Data`] where the folder holds none, or a file lacks a column or holds something that is not a number.
    pub fn read(dir: &Path) -> Result<Reference> {
        let listed = std::fs::read_dir(dir).map_err(|e| Error::io(dir, &e))?;
        let mut files: Vec<_> = listed.filter_map(|f| Some(f.ok()?.path())).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "csv"));
        files.sort();
        if files.is_empty() {
            return Err(Error::data(dir, "no CSV file with published numbers here", ""));
        }
        let mut numbers = Vec::new();
        for file in files {
            numbers.extend(read_file(&file)?);
        }
        Ok(Reference { numbers })
    }

    /// The one number that `selector` means.
    ///
    /// # Errors
    /// A message that says how many lines fit, and in what they differ.
    pub fn find(&self, selector: &Selector) -> Result<&Published, String> {
        let in_file: Vec<&Published> = self.numbers.iter().filter(|p| p.file == selector.file).collect();
        if in_file.is_empty() {
            let mut files: Vec<&str> = self.numbers.iter().map(|p| p.file.as_str()).collect();
            files.dedup();
            return Err(format!("no file `{}` ({})", selector.file, zsad_core::suggest::hint(&selector.file, files)));
        }
        type Wanted<'a> = (&'static str, &'a Option<String>, fn(&Published) -> &str);
        let wanted: [Wanted; 7] = [
            ("paper", &selector.paper, |p| &p.paper),
            ("table", &selector.table, |p| &p.table),
            ("dataset", &selector.dataset, |p| &p.dataset),
            ("setting", &selector.setting, |p| &p.setting),
            ("method", &selector.method, |p| &p.method),
            ("metric", &selector.metric, |p| &p.metric),
            ("anomaly_ratio", &selector.anomaly_ratio, |p| &p.anomaly_ratio),
        ];
        let mut left = in_file;
        for (name, value, field) in &wanted {
            let Some(value) = value else { continue };
            let known: Vec<&str> = left.iter().map(|p| field(p)).collect();
            left.retain(|p| field(p) == value);
            if left.is_empty() {
                let hint = zsad_core::suggest::hint(value, unique(known));
                return Err(format!("{}: no line has {name} `{value}` ({hint})", selector.file));
            }
        }
        match left.as_slice() {
            [one] => Ok(one),
            many => {
                let differing =
                    wanted.iter().map(|(name, _, field)| (name, unique(many.iter().map(|p| field(p)).collect())));
                let said: Vec<String> = differing
                    .filter(|(_, v)| v.len() > 1)
                    .map(|(name, v)| format!("{name}: {}", v.join(", ")))
                    .collect();
                Err(format!("{}: {} lines fit; they differ in {}", selector.file, many.len(), said.join("; ")))
            }
        }
    }

    /// All numbers, by file and line.
    pub fn numbers(&self) -> &[Published] {
        &self.numbers
    }
}

fn unique(mut values: Vec<&str>) -> Vec<&str> {
    values.sort_unstable();
    values.dedup();
    values
}

fn read_file(path: &Path) -> Result<Vec<Published>> {
    // Everything as text first: "0.0304" in anomaly_ratio must stay what it is.
    let schema = TEXTS.iter().chain(&["mean", "std"]).map(|name| PolarsField::new((*name).into(), DataType::String));
    let frame = frame::read_csv(path, Schema::from_iter(schema))?;
    let text = |name: &str| frame::values::<String>(&frame, name);
    let columns = TEXTS.iter().map(|name| text(name)).collect::<PolarsResult<Vec<_>>>();
    let bad =
        |e: polars_core::prelude::PolarsError| Error::data(path, e, "the columns are described in README.md beside it");
    let (columns, means, stds) = (columns.map_err(bad)?, text("mean").map_err(bad)?, text("std").map_err(bad)?);
    let file = path.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    let number = |i: usize, name: &str, value: &str| {
        let parsed = value.parse::<f64>().ok().filter(|v| v.is_finite());
        parsed
            .ok_or_else(|| Error::data(path, format!("line {}: `{value}` in column {name} is not a number", i + 2), ""))
    };
    let one = |i: usize| {
        let at = |c: usize| columns[c][i].clone();
        Ok(Published {
            file: file.clone(),
            line: i + 2,
            paper: at(0),
            table: at(1),
            dataset: at(2),
            setting: at(3),
            method: at(4),
            metric: at(5),
            anomaly_ratio: at(6),
            source: at(7),
            mean: number(i, "mean", &means[i])?,
            std: if stds[i].is_empty() { None } else { Some(number(i, "std", &stds[i])?) },
        })
    };
    (0..means.len()).map(one).collect()
}
