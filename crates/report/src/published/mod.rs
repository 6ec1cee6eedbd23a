//! Our numbers beside published ones: `results/reference/*.csv`, `experiments/tables/*.yaml`, `zsad table NAME`.

mod beside;
mod reference;
mod spec;

use std::path::{Path, PathBuf};

use zsad_core::{Error, Result, suggest};
use zsad_store::Row;

use crate::table::Outcome;

pub(crate) use beside::verdict;
pub use beside::{Beside, Line, Verdict, build};
pub use reference::{Origin, Published, Reference, Selector};
pub use spec::{Division, Entry, Form, Ours, Spec};

/// The names of the tables in a folder such as `experiments/tables`, sorted.
///
/// # Errors
/// [`Error::Data`] where there is no such folder.
pub fn names(tables: &Path) -> Result<Vec<String>> {
    let listed = std::fs::read_dir(tables).map_err(|e| Error::io(tables, &e))?;
    let paths = listed.filter_map(|f| Some(f.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "yaml"));
    let mut names: Vec<String> = paths.filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// The table of that name, checked.
///
/// # Errors
/// [`Error::Config`] for an unknown name (with the nearest known one) or a table with mistakes.
pub fn find(tables: &Path, name: &str, reference: &Reference) -> Result<Spec> {
    let known = names(tables)?;
    if !known.iter().any(|k| k == name) {
        let hint = suggest::hint(name, known.iter().map(String::as_str).collect::<Vec<_>>());
        return Err(Error::Config(format!("no table `{name}` in {} ({hint})", tables.display())));
    }
    Spec::read(&tables.join(format!("{name}.yaml")), reference)
}

/// The folders below `results` (in `runs`, else in `published`) that hold results of an experiment, all profiles.
pub fn run_folders(results: &Path, experiment: &str) -> Vec<PathBuf> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for parent in ["runs", "published"] {
        let Ok(listed) = std::fs::read_dir(results.join(parent)) else { continue };
        for path in listed.filter_map(|f| Some(f.ok()?.path())) {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let fits = name == experiment || name.strip_prefix(experiment).is_some_and(|rest| rest.starts_with('-'));
            let has = ["results.parquet", "results.csv"].iter().any(|f| path.join(f).exists());
            if fits && has && found.iter().all(|(n, _)| *n != name) {
                found.push((name, path));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// The rows of all runs that a table is made of.
///
/// # Errors
/// [`Error::Data`] where a results file is damaged.
pub fn rows(spec: &Spec, results: &Path) -> Result<Vec<Row>> {
    let folders = spec.experiments.iter().flat_map(|e| run_folders(results, e));
    let each = folders.map(|folder| zsad_store::read_results(&folder)).collect::<Result<Vec<_>>>()?;
    Ok(each.concat())
}

/// What is known beside the numbers of a run.
#[derive(Debug, Default)]
pub struct OfRun {
    /// The tables that it belongs to, with the lines that have a number of both sides.
    pub beside: Vec<Beside>,
    /// Titles of tables for which no published number is known, with the reason.
    pub without: Vec<(String, String)>,
}

/// The tables that the rows of a run belong to.
///
/// # Errors
/// [`Error::Data`] or [`Error::Config`] where a table cannot be read or has mistakes.
pub fn of_rows(tables: &Path, reference: &Reference, rows: &[Row]) -> Result<OfRun> {
    let mut found = OfRun::default();
    for name in names(tables)? {
        let mut spec = find(tables, &name, reference)?;
        if !rows.iter().any(|r| spec.experiments.contains(&r.asked().experiment)) {
            continue;
        }
        let all = build(&spec, reference, rows)?;
        let both =
            |name: &str| all.lines.iter().any(|l| l.name == name && l.ours != Outcome::NotRun && l.published.is_some());
        let why = spec.rows.iter().find_map(|entry| entry.none_because.clone());
        spec.rows.retain(|entry| both(&entry.name));
        match why {
            _ if !spec.rows.is_empty() => found.beside.push(build(&spec, reference, rows)?),
            Some(why) => found.without.push((spec.title, why)),
            None => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
