//! The files of a category.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, Result};

use super::mask;
use crate::image_file;

const HINT: &str = "wanted: <category>/train/good, test/good, test/<defect>, ground_truth/<defect>/<name>_mask.png";

/// What normal pictures' folders are called, in MVTec AD and in BTAD.
const GOOD: [&str; 2] = ["good", "ok"];

/// A defective picture and its mask, if its category has masks.
pub struct Defect {
    /// The picture.
    pub image: PathBuf,
    /// Its mask.
    pub mask: Option<PathBuf>,
}

/// One category; every list is sorted by folder and name.
pub struct Category {
    /// `train/good`.
    pub reference: Vec<PathBuf>,
    /// `test/good`.
    pub normal: Vec<PathBuf>,
    /// `test/<defect>`.
    pub defects: Vec<Defect>,
    /// Whether there is a folder `ground_truth`.
    pub has_masks: bool,
}

impl Category {
    /// The category in `folder`.
    ///
    /// # Errors
    /// [`Error::Data`] where a folder is missing, `train/good` is empty, or a mask is missing.
    pub fn read(folder: &Path) -> Result<Self> {
        let good = |part: &str| {
            let mut paths = GOOD.iter().map(|g| folder.join(part).join(g));
            paths.find(|p| p.is_dir())
        };
        let train = good("train").ok_or_else(|| Error::data(folder.join("train/good"), "not found", HINT))?;
        let reference = images(&train)?;
        if reference.is_empty() {
            return Err(Error::data(&train, "holds no picture (png, jpg, bmp)", HINT));
        }
        let normal = good("test").map_or(Ok(vec![]), |p| images(&p))?;
        let truth = folder.join("ground_truth");
        let has_masks = truth.is_dir();
        let mut defects = Vec::new();
        for (kind, path) in subfolders(&folder.join("test"))?.into_iter().filter(|(k, _)| !GOOD.contains(&k.as_str())) {
            let masks = if has_masks { by_stem(&truth.join(&kind))? } else { BTreeMap::new() };
            for image in images(&path)? {
                let stem = stem(&image);
                let mask = masks.get(&format!("{stem}_mask")).or_else(|| masks.get(&stem)).cloned();
                if has_masks && mask.is_none() {
                    let wanted = truth.join(&kind).join(format!("{stem}_mask.png"));
                    return Err(Error::data(wanted, format!("the mask of {} is missing", image.display()), HINT));
                }
                defects.push(Defect { image, mask });
            }
        }
        Ok(Category { reference, normal, defects, has_masks })
    }

    /// Every file, in a fixed order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let defects = self.defects.iter().flat_map(|d| std::iter::once(&d.image).chain(&d.mask));
        self.reference.iter().chain(&self.normal).chain(defects).map(PathBuf::as_path)
    }
}

/// The categories below `root`, sorted by name: subfolders that hold `train`; or `root` itself, if it does.
///
/// # Errors
/// [`Error::Data`] where there is none.
pub fn categories(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    if root.join("train").is_dir() {
        let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
        return Ok(vec![(name, root.to_owned())]);
    }
    let found: Vec<_> = subfolders(root)?.into_iter().filter(|(_, p)| p.join("train").is_dir()).collect();
    if found.is_empty() {
        return Err(Error::data(root, "holds no category", HINT));
    }
    Ok(found)
}

/// Reads the headers of all files, to find what cannot be read, and masks of another size than their picture.
///
/// # Errors
/// [`Error::Data`] of the first such file.
pub fn check_sizes(categories: &[Category]) -> Result<()> {
    let plain = categories.iter().flat_map(|c| c.reference.iter().chain(&c.normal)).map(|p| (p, None));
    let defects = categories.iter().flat_map(|c| &c.defects).map(|d| (&d.image, d.mask.as_ref()));
    let check = |(image, mask): (&PathBuf, Option<&PathBuf>)| {
        let size = mask::dimensions(image)?;
        match mask {
            Some(mask) => mask::same_size(mask, mask::dimensions(mask)?, image, size),
            None => Ok(()),
        }
    };
    let files: Vec<_> = plain.chain(defects).collect();
    super::first_error(files.into_par_iter().map(check).collect())
}

/// Name and path of the folders in `path`, sorted; hidden ones do not count.
fn subfolders(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    Ok(entries(path)?.into_iter().filter(|(_, p)| p.is_dir()).collect())
}

/// The pictures in `path`, sorted by name. Files of other kinds (checksums, thumbnail caches) do not count.
fn images(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(path)?.into_iter().filter(|(_, p)| image_file::is_named_so(p) && p.is_file()).map(|(_, p)| p).collect())
}

/// The pictures in `path` by name without extension; none where there is no such folder.
fn by_stem(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    if !path.is_dir() {
        return Ok(BTreeMap::new());
    }
    Ok(images(path)?.into_iter().map(|p| (stem(&p), p)).collect())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|e| Error::data(path, e, HINT))? {
        let entry = entry.map_err(|e| Error::io(path, &e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
