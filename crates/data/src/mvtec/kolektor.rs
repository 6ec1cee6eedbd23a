//! KolektorSDD and KolektorSDD2 as their archives unpack: what is defective, a picture's mask alone says.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zsad_core::{Error, Result};

use super::layout::{Category, Defect, Layout, images, stem, subfolders};
use super::mask;

const ITEM: &str = "kos";
const TRUTH: &str = "_GT";
const HINT: &str = "unpack KolektorSDD.zip or KolektorSDD2.zip there as it is";

/// Which of the two is in `root`, if any.
///
/// # Errors
/// [`Error::Data`] where the folder cannot be read.
pub fn which(root: &Path) -> Result<Option<Layout>> {
    if !items(root)?.is_empty() {
        return Ok(Some(Layout::Kolektor));
    }
    let train = root.join("train");
    let second = train.is_dir() && images(&train)?.iter().any(|p| stem(p).ends_with(TRUTH));
    Ok(second.then_some(Layout::Kolektor2))
}

/// KolektorSDD, which comes without a split of good and defective: the good parts of the first half of its items, by
/// number, are references; all other parts are tested.
///
/// # Errors
/// [`Error::Data`] where a mask is missing or does not decode.
pub fn read(root: &Path) -> Result<Category> {
    let items = items(root)?;
    let half = items.len().div_ceil(2);
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for (i, item) in items.iter().enumerate() {
        let parts = images(item)?.into_iter().filter(|p| p.extension().is_some_and(|e| e == "jpg"));
        let masked = parts.map(|p| (p.with_file_name(format!("{}_label.bmp", stem(&p))), p));
        if i < half { early.extend(masked) } else { late.extend(masked) }
    }
    let [early, late] = [judged(early)?, judged(late)?];
    category(root, early, late, true)
}

/// KolektorSDD2: good training pictures are references, all test pictures are tested; defective training pictures are
/// left out.
///
/// # Errors
/// [`Error::Data`] where a mask is missing or does not decode.
pub fn read_second(root: &Path) -> Result<Category> {
    let part = |name: &str| {
        let pictures = images(&root.join(name))?.into_iter().filter(|p| !stem(p).ends_with(TRUTH));
        judged(pictures.map(|p| (p.with_file_name(format!("{}{TRUTH}.png", stem(&p))), p)).collect())
    };
    category(root, part("train")?, part("test")?, false)
}

/// A picture, its mask, and whether that shows a defect.
type Judged = (PathBuf, PathBuf, bool);

fn judged(masked: Vec<(PathBuf, PathBuf)>) -> Result<Vec<Judged>> {
    let judge = |(truth, image): (PathBuf, PathBuf)| {
        if !truth.is_file() {
            return Err(Error::data(truth, format!("the mask of {} is missing", image.display()), HINT));
        }
        let defective = mask::shows_defect(&truth)?;
        Ok((image, truth, defective))
    };
    masked.into_par_iter().map(judge).collect::<Vec<_>>().into_iter().collect()
}

/// References are the good ones of `early`; its defective ones are tested or not.
fn category(root: &Path, early: Vec<Judged>, late: Vec<Judged>, test_early: bool) -> Result<Category> {
    let also = early.iter().chain(&late).map(|(_, truth, _)| truth.clone());
    let mut also: Vec<PathBuf> = also.collect();
    let (mut reference, mut normal, mut defects) = (Vec::new(), Vec::new(), Vec::new());
    for (from_early, (image, truth, defective)) in
        early.into_iter().map(|j| (true, j)).chain(late.into_iter().map(|j| (false, j)))
    {
        match (defective, from_early) {
            (false, true) => reference.push(image),
            (false, false) => normal.push(image),
            (true, true) if !test_early => {}
            (true, _) => defects.push(Defect { image, mask: Some(truth) }),
        }
    }
    if reference.is_empty() {
        return Err(Error::data(root, "holds no good part to train on", HINT));
    }
    also.retain(|truth| defects.iter().all(|d| d.mask.as_ref() != Some(truth)));
    Ok(Category { reference, normal, defects, has_masks: true, also })
}

/// The folders of items, by number.
fn items(root: &Path) -> Result<Vec<PathBuf>> {
    let number = |name: &str| name.strip_prefix(ITEM)?.parse::<u32>().ok();
    let mut items: Vec<_> = subfolders(root)?.into_iter().filter_map(|(name, p)| Some((number(&name)?, p))).collect();
    items.sort();
    Ok(items.into_iter().map(|(_, path)| path).collect())
}
