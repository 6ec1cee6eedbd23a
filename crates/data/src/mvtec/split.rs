//! Which categories there are, what their domains are called, and which train and test.

use std::path::{Path, PathBuf};

use zsad_core::{DataDir, Error, Fold, Result, suggest};

use super::Pictures;
use super::layout::{self, Category, Layout};
use crate::{files, folds};

const HINT: &str = "put its folder there as the archive unpacks (or in the layout of MVTec AD), or name another folder";

/// The categories in use, in the order of the domains.
pub struct Split {
    /// Their files.
    pub categories: Vec<Category>,
    /// Their names as domains.
    pub names: Vec<String>,
    /// Leave one category out; or one fold, where categories to train on are named.
    pub folds: Vec<Fold>,
}

/// The split that `pictures` asks for among the categories of `roots`.
///
/// # Errors
/// [`Error::Data`] where a folder, a category or a mask is missing; [`Error::Config`] where a category would both
/// train and test.
pub fn read(roots: &[String], pictures: &Pictures, dir: &DataDir) -> Result<Split> {
    let Pictures { categories, train_roots, train_categories: train_names, .. } = pictures;
    let test = select(roots, categories, dir)?;
    let across = !train_roots.is_empty() || !train_names.is_empty();
    let train_roots = if train_roots.is_empty() { roots } else { &train_roots[..] };
    let train = if across { select(train_roots, train_names, dir)? } else { vec![] };
    if let Some(both) = train.iter().find(|c| test.iter().any(|t| t.path == c.path)) {
        let message = format!("mvtec: category `{}` would both train and test", both.name);
        return Err(Error::Config(format!("{message}; hint: name others in `categories` or `train_categories`")));
    }
    let n = test.len();
    let found: Vec<Found> = test.into_iter().chain(train).collect();
    let categories = found.iter().map(|c| c.layout.read(&c.path)).collect::<Result<_>>()?;
    let names = names(&found);
    let folds = if across { vec![Fold::single(n..names.len(), 0..n)] } else { folds::leave_one_out(&names) };
    Ok(Split { categories, names, folds })
}

struct Found {
    root: String,
    name: String,
    path: PathBuf,
    layout: Layout,
}

/// The categories of `roots` that are in `wanted`, or all.
fn select(roots: &[String], wanted: &[String], dir: &DataDir) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for root in roots {
        let folder = files::require(dir, root, HINT)?;
        for (name, path, layout) in layout::categories(&folder)? {
            if found.iter().all(|f| f.path != path) {
                found.push(Found { root: root.clone(), name, path, layout });
            }
        }
    }
    let known: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
    if let Some(unknown) = wanted.iter().find(|w| !known.contains(&w.as_str())) {
        let message = format!("no category `{unknown}` in {}", roots.join(", "));
        return Err(Error::data(&dir.path, message, suggest::hint(unknown, known.iter().copied())));
    }
    found.retain(|f| wanted.is_empty() || wanted.contains(&f.name));
    Ok(found)
}

/// The categories' names, with the root before it where two share a name.
fn names(found: &[Found]) -> Vec<String> {
    let shared = |f: &Found| found.iter().filter(|other| other.name == f.name).count() > 1;
    let root = |f: &Found| Path::new(&f.root).file_name().map_or(f.root.clone(), |n| n.to_string_lossy().into_owned());
    found.iter().map(|f| if shared(f) { format!("{}/{}", root(f), f.name) } else { f.name.clone() }).collect()
}
