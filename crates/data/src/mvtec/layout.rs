//! The files of a category, and which layout a folder has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, Result};

use super::{kolektor, mask, visa};
use crate::image_file;

const HINT: &str = "wanted: <category>/train/good, test/good, test/<defect>, ground_truth/<defect>/<name>_mask.png";

/// The folder in which BTAD's archive keeps its categories.
const BTAD: &str = "BTech_Dataset_transformed";

/// How a folder's files lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// MVTec AD's: a folder a category, in it one a subset and kind.
    Mvtec,
    /// VisA's: pictures by label, and a table of the split.
    Visa,
    /// KolektorSDD's: a folder an item, no split.
    Kolektor,
    /// KolektorSDD2's: pictures and masks of all kinds beside each other.
    Kolektor2,
}

impl Layout {
    /// The category in `folder`.
    ///
    /// # Errors
    /// [`Error::Data`] where a folder or a mask is missing, or there is no normal picture to compare with.
    pub fn read(self, folder: &Path) -> Result<Category> {
        match self {
            Layout::Mvtec => Category::read(folder),
            Layout::Visa => visa::read(folder),
            Layout::Kolektor => kolektor::read(folder),
            Layout::Kolektor2 => kolektor::read_second(folder),
        }
    }
}

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
    /// Other files that say what a picture is: a table of the split, masks of good parts.
    pub also: Vec<PathBuf>,
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
        Ok(Category { reference, normal, defects, has_masks, also: vec![] })
    }

    /// Every file, in a fixed order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let defects = self.defects.iter().flat_map(|d| std::iter::once(&d.image).chain(&d.mask));
        self.reference.iter().chain(&self.normal).chain(defects).chain(&self.also).map(PathBuf::as_path)
    }
}

/// A category that was found: its name, its folder, and how that is laid out.
pub type Found = (String, PathBuf, Layout);

/// The categories below `root`, sorted by name: those of VisA's table of the split, all of KolektorSDD as one, or
/// subfolders that hold `train`; or `root` itself, if it does.
///
/// # Errors
/// [`Error::Data`] where there is none.
pub fn categories(root: &Path) -> Result<Vec<Found>> {
    let inner = root.join(BTAD);
    if inner.is_dir() {
        return categories(&inner);
    }
    if visa::is(root) {
        return visa::categories(root);
    }
    let whole = |layout| {
        let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
        Ok(vec![(name, root.to_owned(), layout)])
    };
    match kolektor::which(root)? {
        Some(layout) => return whole(layout),
        None if root.join("train").is_dir() => return whole(Layout::Mvtec),
        None => {}
    }
    let trained = |(_, path): &(String, PathBuf)| path.join("train").is_dir();
    let found = subfolders(root)?.into_iter().filter(trained).map(|(name, path)| (name, path, Layout::Mvtec));
    let found: Vec<_> = found.collect();
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
    super::folders::first_error(files.into_par_iter().map(check).collect())
}

/// Name and path of the folders in `path`, sorted; hidden ones do not count.
pub(super) fn subfolders(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    Ok(entries(path)?.into_iter().filter(|(_, p)| p.is_dir()).collect())
}

/// The pictures in `path`, sorted by name. Files of other kinds (checksums, thumbnail caches) do not count.
pub(super) fn images(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(path)?.into_iter().filter(|(_, p)| image_file::is_named_so(p) && p.is_file()).map(|(_, p)| p).collect())
}

/// The pictures in `path` by name without extension; none where there is no such folder.
fn by_stem(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    if !path.is_dir() {
        return Ok(BTreeMap::new());
    }
    Ok(images(path)?.into_iter().map(|p| (stem(&p), p)).collect())
}

pub(super) fn stem(path: &Path) -> String {
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
