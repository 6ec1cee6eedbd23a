//! VisA as its archive unpacks: pictures lie by label, and a table says which of them train.

use std::path::{Path, PathBuf};

use zsad_core::{Error, Result};

use super::layout::{Category, Defect, Found, Layout};
use crate::files;

/// The split with one category at a time, below the root.
const TABLE: &str = "split_csv/1cls.csv";
const HEADER: &str = "object,split,label,image,mask";
const HINT: &str = "unpack VisA_20220922.tar there as it is";

/// Whether `root` holds the table.
pub fn is(root: &Path) -> bool {
    root.join(TABLE).is_file()
}

/// The categories of the table that are there, sorted by name.
///
/// # Errors
/// [`Error::Data`] where the table is none, or none of its categories is there.
pub fn categories(root: &Path) -> Result<Vec<Found>> {
    let mut names: Vec<String> = rows(&root.join(TABLE))?.into_iter().map(|r| r.category).collect();
    names.sort();
    names.dedup();
    let found = names.into_iter().map(|name| (root.join(&name), name)).filter(|(path, _)| path.is_dir());
    let found: Vec<_> = found.map(|(path, name)| (name, path, Layout::Visa)).collect();
    if found.is_empty() {
        return Err(Error::data(root, format!("holds no category of {TABLE}"), HINT));
    }
    Ok(found)
}

/// The category in `folder`, a folder of the root.
///
/// # Errors
/// [`Error::Data`] where the table names nothing to train on.
pub fn read(folder: &Path) -> Result<Category> {
    let root = folder.parent().unwrap_or(folder);
    let table = root.join(TABLE);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let (mut reference, mut normal, mut defects) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows(&table)?.into_iter().filter(|r| r.category == name) {
        let image = root.join(&row.image);
        match row.kind {
            Kind::Reference => reference.push(image),
            Kind::Normal => normal.push(image),
            Kind::Defect => defects.push(Defect { image, mask: Some(root.join(row.mask)) }),
        }
    }
    if reference.is_empty() {
        return Err(Error::data(table, format!("names no picture of `{name}` to train on"), HINT));
    }
    reference.sort();
    normal.sort();
    defects.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(Category { reference, normal, defects, has_masks: true, also: vec![table] })
}

enum Kind {
    Reference,
    Normal,
    Defect,
}

struct Row {
    category: String,
    kind: Kind,
    image: PathBuf,
    mask: PathBuf,
}

fn rows(table: &Path) -> Result<Vec<Row>> {
    let text = files::text(table)?;
    let mut lines = text.lines().map(str::trim_end);
    if lines.next() != Some(HEADER) {
        return Err(Error::data(table, format!("does not begin with `{HEADER}`"), HINT));
    }
    let filled = (2..).zip(lines).filter(|(_, line)| !line.is_empty());
    let read = |(number, line): (usize, &str)| {
        row(line).ok_or_else(|| Error::data(table, format!("line {number}: `{line}` is no picture of a split"), HINT))
    };
    filled.map(read).collect()
}

/// One line; no name of VisA's holds a comma.
fn row(line: &str) -> Option<Row> {
    let &[category, split, label, image, mask] = &line.split(',').collect::<Vec<_>>()[..] else { return None };
    let kind = match (split, label) {
        ("train", "normal") => Kind::Reference,
        ("test", "normal") => Kind::Normal,
        ("test", "anomaly") if !mask.is_empty() => Kind::Defect,
        _ => return None,
    };
    Some(Row { category: category.into(), kind, image: image.into(), mask: mask.into() })
}
