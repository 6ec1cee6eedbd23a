//! The npz tables of ADBench: `X` `[n, d]` and `y` `[n]`, 0 normal, 1 anomalous.

use std::path::{Path, PathBuf};

use zsad_core::{Error, Result, Samples, Values};

use crate::formats::npy::Numbers;
use crate::formats::npz::Npz;
use crate::memory::MemoryDomain;

const HINT: &str = "the table must hold X [n, d] of finite numbers and y [n] of 0 (normal) and 1 (anomalous)";

/// The `.npz` files of a folder, sorted by name.
///
/// # Errors
/// [`Error::Data`] where the folder cannot be read or holds none.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, &e))?;
    let paths = entries.map(|e| e.map(|e| e.path()).map_err(|e| Error::io(folder, &e)));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_>>()?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "npz"));
    paths.sort();
    if paths.is_empty() {
        return Err(Error::data(folder, "the folder holds no .npz file", "put the npz tables of ADBench there"));
    }
    Ok(paths)
}

/// The tables of all files with their names, in one precision; each of so many features, where that is known, and what
/// to do where it is not.
///
/// # Errors
/// [`Error::Data`] where a file is damaged, or holds no such table.
pub fn read_all(
    files: impl IntoIterator<Item = (String, PathBuf)>,
    dim: Option<(usize, &str)>,
) -> Result<(Vec<String>, Vec<MemoryDomain>)> {
    let (mut names, mut domains) = (Vec::new(), Vec::new());
    for (name, path) in files {
        let domain = read(&path, &name)?;
        if let Some((dim, hint)) = dim.filter(|(dim, _)| *dim != domain.normal.dim()) {
            let message = format!("{} features an image instead of {dim}", domain.normal.dim());
            return Err(Error::data(&path, message, hint));
        }
        names.push(name);
        domains.push(domain);
    }
    unify(&mut domains);
    Ok((names, domains))
}

/// The table in `path` as a domain: its rows with label 0, and as genuine anomalies those with label 1.
///
/// # Errors
/// [`Error::Data`] where an array is missing, damaged, of another shape, or holds other labels, NaN or infinity.
fn read(path: &Path, name: &str) -> Result<MemoryDomain> {
    let bad = |message: String| Error::data(path, message, HINT);
    let mut npz = Npz::open(path)?;
    let y = npz.array("y")?;
    let x = npz.array("X")?;
    let &[n, d] = x.shape.as_slice() else { return Err(bad(format!("X has the shape {:?}", x.shape))) };
    if d == 0 || y.shape != [n] {
        return Err(bad(format!("X has the shape {:?} and y {:?}", x.shape, y.shape)));
    }
    let labels = y.to_i64().unwrap_or_default();
    let wrong = (0..n).find(|&i| !matches!(labels.get(i), Some(0 | 1)));
    if let Some(i) = wrong {
        let found = labels.get(i).map_or("not a whole number".into(), |l| l.to_string());
        return Err(bad(format!("y[{i}] is {found}")));
    }
    let single = matches!(x.numbers, Numbers::F32(_));
    let x = x.into_f64();
    if let Some(i) = x.iter().position(|v| !v.is_finite()) {
        return Err(bad(format!("X[{}, {}] is {}", i / d, i % d, x[i])));
    }
    let rows = |label: i64| {
        let rows = x.chunks_exact(d).zip(&labels).filter(|(_, l)| **l == label).flat_map(|(row, _)| row);
        // Single precision survives the way through double precision unchanged.
        let values =
            if single { Values::F32(rows.map(|&v| v as f32).collect()) } else { Values::F64(rows.copied().collect()) };
        Samples::new(vec![d], values)
    };
    Ok(MemoryDomain {
        name: name.to_owned(),
        normal: rows(0),
        anomalous: labels.contains(&1).then(|| rows(1)),
        reference: None,
    })
}

/// Brings all domains to double precision unless all are in single precision.
fn unify(domains: &mut [MemoryDomain]) {
    let double = |s: &Samples| matches!(s.values(), Values::F64(_));
    if !domains.iter().any(|d| double(&d.normal)) {
        return;
    }
    let widen = |s: &mut Samples| *s = Samples::new(s.shape().to_vec(), Values::F64(s.to_f64().into_owned()));
    for domain in domains {
        [Some(&mut domain.normal), domain.anomalous.as_mut()]
            .into_iter()
            .flatten()
            .filter(|s| !double(s))
            .for_each(widen);
    }
}
