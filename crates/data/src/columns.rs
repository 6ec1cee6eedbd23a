//! From the columns of a table to features: what the training rows teach, and any table read by it.

use std::collections::BTreeMap;
use std::path::Path;

use zsad_core::{Error, Layout, Missing, Result};

use crate::formats::table::Table;
use crate::tabular;

/// More categories than this in one column are taken for a mistake, such as an identifier.
const MAX_CATEGORIES: usize = 1000;
/// Columns, and values of a column, that a message shows.
const SHOWN: usize = 5;

/// The columns of a table as a [`Layout`] wants them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Encoded {
    /// Numeric columns; missing values are NaN.
    pub numeric: Vec<Vec<f64>>,
    /// Codes of the categorical columns: see [`Layout::code`].
    pub codes: Vec<Vec<u32>>,
    /// What is missing, and what training did not know.
    pub found: Found,
}

/// What was found in the columns of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// By column, its name, how many values are missing, and the first row without one, counted from 0.
    pub missing: Vec<(String, usize, Option<usize>)>,
    /// Values that the layout does not know, by column, each with how many rows hold it.
    pub unseen: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Encoded {
    /// Reads the columns of `layout` in `table` by their names; other columns are not looked at.
    ///
    /// # Errors
    /// [`Error::Data`] where columns are not there (all of them are named), numbers are none, or values are missing and
    /// `layout` says that they must not be.
    pub fn read(table: &Table, layout: &Layout) -> Result<Self> {
        let encoded = Self::part(table, layout)?;
        encoded.found.check(table.path(), layout)?;
        Ok(encoded)
    }

    /// As [`Encoded::read`] for some rows of a table: what is missing in it is left to be said of all.
    ///
    /// # Errors
    /// As there, but for missing values.
    pub fn part(table: &Table, layout: &Layout) -> Result<Self> {
        table.require(&layout.columns().collect::<Vec<_>>())?;
        let mut encoded = Encoded::default();
        for name in &layout.numeric {
            let values = table.numbers_or_nan(name)?;
            if let Some(row) = values.iter().position(|v| v.is_infinite()) {
                return Err(table.at(Some(row), name, "infinite"));
            }
            encoded.found.count(name, table, &values, |v| v.is_nan());
            encoded.numeric.push(values);
        }
        for (number, (name, categories)) in layout.categorical.iter().enumerate() {
            let values = table.text_or_missing(name)?;
            encoded.found.count(name, table, &values, Option::is_none);
            let unseen = &mut encoded.found.unseen;
            let code = |value: &Option<String>| {
                // A missing value is a category of its own, whose name no text has.
                let value = value.as_deref().unwrap_or_default();
                let code = layout.code(number, value);
                if code as usize == categories.len() {
                    *unseen.entry(name.clone()).or_default().entry(value.to_owned()).or_default() += 1;
                }
                code
            };
            encoded.codes.push(values.iter().map(code).collect());
        }
        Ok(encoded)
    }
}

impl Found {
    fn count<T>(&mut self, name: &str, table: &Table, values: &[T], is_missing: impl Fn(&T) -> bool) {
        let n = values.iter().filter(|v| is_missing(v)).count();
        let first = values.iter().position(is_missing).map(|row| table.first() + row);
        self.missing.push((name.to_owned(), n, first));
    }

    /// Adds what was found in the rows that follow.
    pub fn add(&mut self, later: Found) {
        if self.missing.is_empty() {
            self.missing = later.missing;
        } else {
            for ((_, n, first), (_, more, later)) in self.missing.iter_mut().zip(later.missing) {
                (*n, *first) = (*n + more, first.or(later));
            }
        }
        for (name, values) in later.unseen {
            let known = self.unseen.entry(name).or_default();
            values.into_iter().for_each(|(value, n)| *known.entry(value).or_default() += n);
        }
    }

    /// Refuses missing values where `layout` does, all in one message, column by column with their number and the first row.
    ///
    /// # Errors
    /// [`Error::Data`] about the file in `path`.
    pub fn check(&self, path: &Path, layout: &Layout) -> Result<()> {
        let said = |(name, n, first): &(String, usize, Option<usize>)| {
            first.map(|first| format!("{name} {n} (first in row {})", first + 1))
        };
        let message: Vec<String> = self.missing.iter().filter_map(said).collect();
        if layout.missing != Missing::Fail || message.is_empty() {
            return Ok(());
        }
        let message = format!("no value: {} (rows count from 1)", message.join(", "));
        let hint = "`missing: median` or `missing: indicator` puts the training rows' median there (in `zsad score`: \
                    --missing); or leave columns out";
        Err(Error::data(path, message, hint))
    }

    /// A sentence a column on the values that training did not know.
    pub fn unseen_said(&self) -> Vec<String> {
        let said = |(column, values): (&String, &BTreeMap<String, usize>)| {
            let rows: usize = values.values().sum();
            let name = |v: &String| if v.is_empty() { "a missing value".into() } else { format!("`{v}`") };
            let shown: Vec<String> = values.keys().take(SHOWN).map(name).collect();
            let more = if values.len() > SHOWN { ", …" } else { "" };
            format!("column `{column}`: {rows} rows hold what the training rows do not: {}{more}", shown.join(", "))
        };
        self.unseen.iter().map(said).collect()
    }
}

/// Which columns of text become one-hot columns.
#[derive(Debug, Clone, Copy)]
pub enum OneHot<'a> {
    /// Those that hold text and not mostly numbers.
    Text,
    /// These, and no others.
    These(&'a [String]),
}

/// What the training rows teach of `features`: categories, medians, and where values are missing.
///
/// # Errors
/// [`Error::Data`] where a column is not there, holds text among numbers or too many categories, or has no value at all.
pub fn learn(
    table: &Table,
    features: &[String],
    one_hot: OneHot,
    missing: Missing,
    training: &TrainingRows,
) -> Result<Layout> {
    table.require(&features.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut layout = Layout { missing, ..Layout::default() };
    let mut too_many = Vec::new();
    for name in features {
        let is_text = match one_hot {
            OneHot::Text => table.is_text(name)?,
            OneHot::These(names) => names.contains(name),
        };
        if !is_text {
            layout.numeric.push(name.clone());
            continue;
        }
        if let OneHot::Text = one_hot {
            table.refuse_strays(name)?;
        }
        let values = table.text_or_missing(name)?;
        let values = training.all.iter().map(|&row| values[row].as_deref());
        let values = values.filter_map(|v| if missing == Missing::Fail { v } else { Some(v.unwrap_or_default()) });
        let categories = tabular::categories(values);
        if categories.len() > MAX_CATEGORIES {
            too_many.push((name.clone(), categories.len()));
        }
        layout.categorical.push((name.clone(), categories));
    }
    if !too_many.is_empty() {
        let said = |(name, n): &(String, usize)| {
            format!("column `{name}`: {n} different values are too many for one-hot columns")
        };
        let message: Vec<String> = too_many.iter().map(said).collect();
        let names: Vec<&str> = too_many.iter().map(|(name, _)| name.as_str()).collect();
        let hint = format!("leave identifiers and times out: `exclude: [{}]`", names.join(", "));
        return Err(Error::data(table.path(), message.join("; "), hint));
    }
    fill(&mut layout, table, training)?;
    Ok(layout)
}

/// The rows that training sees.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingRows {
    /// All of them.
    pub all: Vec<usize>,
    /// The normal ones.
    pub normal: Vec<usize>,
}

impl TrainingRows {
    /// All `n` rows, all of them normal.
    pub fn whole(n: usize) -> Self {
        TrainingRows { all: (0..n).collect(), normal: (0..n).collect() }
    }
}

/// Puts the medians of the normal training rows into `layout`, and with [`Missing::Indicator`] which columns have missing
/// values in training.
///
/// # Errors
/// [`Error::Data`] where a column is not there, is no number, or has no value in training.
pub fn fill(layout: &mut Layout, table: &Table, training: &TrainingRows) -> Result<()> {
    let normal = if training.normal.is_empty() { &training.all } else { &training.normal };
    for (k, name) in layout.numeric.iter().enumerate() {
        let values = table.numbers_or_nan(name)?;
        let known = normal.iter().map(|&row| values[row]).filter(|v| !v.is_nan()).collect();
        match median(known) {
            Some(median) => layout.medians.push(median),
            None if layout.missing == Missing::Fail => layout.medians.push(0.0),
            None => return Err(table.at(None, name, "no value in any training row; leave it out with `exclude`")),
        }
        if layout.missing == Missing::Indicator && training.all.iter().any(|&row| values[row].is_nan()) {
            layout.indicated.push(k);
        }
    }
    Ok(())
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    let middle = values.get(n / 2)?;
    Some(if n % 2 == 1 { *middle } else { (values[n / 2 - 1] + middle) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(csv: &str) -> (tempfile::TempDir, Table) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, csv).unwrap();
        (dir, Table::read(&path, None).unwrap())
    }

    const CSV: &str = "x,y,k\n1,,a\n2,5,b\n10,NA,?\n4,7,\n?,100,c\n";

    fn names(table: &Table) -> Vec<String> {
        table.names()
    }

    /// numpy: `np.nanmedian([1, 2, 10, 4])` is 3.0, `np.nanmedian([nan, 5, nan, 7])` is 6.0; the last row does not train.
    #[test]
    fn medians_categories_and_indicators_come_from_the_training_rows() {
        let (_dir, table) = table(CSV);
        let training = TrainingRows { all: vec![0, 1, 2, 3], normal: vec![0, 1, 2, 3] };
        let learnt = |missing| learn(&table, &names(&table), OneHot::Text, missing, &training).unwrap();
        let layout = learnt(Missing::Indicator);
        assert_eq!(
            (&layout.numeric[..], &layout.medians[..]),
            (&["x".to_owned(), "y".to_owned()][..], &[3.0, 6.0][..])
        );
        assert_eq!(layout.indicated, [1], "x has all its values in training");
        assert_eq!(layout.categorical, [("k".to_owned(), vec![String::new(), "a".into(), "b".into()])]);
        let encoded = Encoded::read(&table, &layout).unwrap();
        assert_eq!(encoded.codes, [[1, 2, 0, 0, 3]]);
        assert_eq!(encoded.found.unseen_said(), ["column `k`: 1 rows hold what the training rows do not: `c`"]);
        assert!(learnt(Missing::Median).indicated.is_empty());
    }

    #[test]
    fn all_missing_values_stand_in_one_message() {
        let (_dir, table) = table(CSV);
        let layout = learn(&table, &names(&table), OneHot::Text, Missing::Fail, &TrainingRows::whole(5)).unwrap();
        let message = Encoded::read(&table, &layout).unwrap_err().to_string();
        let wanted = "no value: x 1 (first in row 5), y 2 (first in row 1), k 2 (first in row 3)";
        assert!(message.contains(wanted) && message.contains("missing: median"), "{message}");
    }

    #[test]
    fn columns_that_are_not_there_are_all_named() {
        let (_dir, table) = table(CSV);
        let layout = Layout { numeric: vec!["xx".into(), "y".into(), "z".into()], ..Layout::default() };
        let message = Encoded::read(&table, &layout).unwrap_err().to_string();
        assert!(message.contains("no columns `xx`, `z`"), "{message}");
    }

    #[test]
    fn identifiers_are_all_named_at_once() {
        let rows: String = (0..1001).map(|i| format!("{i},id{i},t{i}\n")).collect();
        let (_dir, table) = table(&format!("x,id,time\n{rows}"));
        let all = TrainingRows::whole(1001);
        let message = learn(&table, &names(&table), OneHot::Text, Missing::Fail, &all).unwrap_err().to_string();
        assert!(message.contains("exclude: [id, time]"), "{message}");
    }

    #[test]
    fn the_median_is_numpys() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 8.0]), Some(3.0));
        assert_eq!(median(vec![]), None);
    }
}
