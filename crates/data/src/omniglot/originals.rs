//! The original drawings of 105×105 pixels, in two archives or two folders.

use std::path::PathBuf;

use image::ImageFormat;
use rayon::prelude::*;
use zsad_core::{DataDir, DataFile, Error, ReadBy, Result};

use super::{DRAWINGS, PARTS, SIDE};
use crate::files;
use crate::formats::image_tree::ImageTree;
use crate::resize::{self, Filter};

const HINT: &str = "put images_background.zip and images_evaluation.zip of the Omniglot repository there, or extract \
                    them there; with neither of them, the drawings that come with the program are read";
const SOURCE_SIDE: usize = 105;

/// Where a part may lie in the data folder: its archive, or its folder.
fn places(part: &str) -> [String; 2] {
    [format!("omniglot/{part}.zip"), format!("omniglot/{part}")]
}

/// Whether one of the parts is there.
pub fn are_there(data: &DataDir) -> bool {
    PARTS.iter().flat_map(|(part, _)| places(part)).any(|place| data.path.join(place).exists())
}

fn find(data: &DataDir, part: &str) -> Result<PathBuf> {
    let [archive, folder] = places(part);
    files::first_of(data, &[&archive, &folder], HINT)
}

/// All of them for training and tests: which characters train is drawn from all.
///
/// # Errors
/// Where a part is missing.
pub fn files(data: &DataDir) -> Result<Vec<DataFile>> {
    let mut all = Vec::new();
    for (part, _) in PARTS {
        let tree = ImageTree::open(&find(data, part)?)?;
        all.extend(DataFile::list(tree.files()?, ReadBy::Both));
    }
    Ok(all)
}

/// The characters of both parts, each with its drawings one after the other.
///
/// # Errors
/// Where a part is missing, damaged or incomplete.
pub fn read(data: &DataDir) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for (part, wanted) in PARTS {
        let path = find(data, part)?;
        let characters = read_part(&ImageTree::open(&path)?)?;
        if characters.len() != wanted {
            let message = format!("{} characters instead of {wanted}", characters.len());
            return Err(Error::data(&path, message, HINT));
        }
        all.extend(characters);
    }
    Ok(all)
}

/// The characters of one part, sorted: name (`Greek/character03`) and images, one after the other.
fn read_part(tree: &ImageTree) -> Result<Vec<(String, Vec<u8>)>> {
    let mut characters: Vec<(String, Vec<String>)> = Vec::new();
    for name in tree.names()? {
        let folders: Vec<&str> = name.split('/').collect();
        // An archive's names begin with the part, a folder's with the alphabet.
        let [.., alphabet, character, _] = folders[..] else {
            let message = format!("`{name}` instead of <alphabet>/<character>/<drawing>.png");
            return Err(Error::data(tree.path(), message, HINT));
        };
        let character = format!("{alphabet}/{character}");
        match characters.last_mut() {
            Some((last, drawings)) if *last == character => drawings.push(name),
            _ => characters.push((character, vec![name])),
        }
    }
    let read = |tree: &mut ImageTree, (character, drawings): (String, Vec<String>)| {
        if drawings.len() != DRAWINGS {
            let message = format!("{character} has {} drawings instead of {DRAWINGS}", drawings.len());
            return Err(Error::data(tree.path(), message, HINT));
        }
        let mut images = Vec::with_capacity(DRAWINGS * SIDE * SIDE);
        for name in &drawings {
            let bytes = tree.read(name)?;
            images.extend(decode(&bytes).map_err(|e| files::damaged(tree.path(), format!("{name}: {e}")))?);
        }
        Ok((character, images))
    };
    characters.into_par_iter().map_init(|| tree.clone(), read).collect()
}

/// A drawing at 28×28: the bytes of Pillow's `Image.open(…).convert("L").resize((28, 28))`, antialiased bicubic.
fn decode(png: &[u8]) -> Result<Vec<u8>, String> {
    let image = image::load_from_memory_with_format(png, ImageFormat::Png).map_err(|e| e.to_string())?.into_luma8();
    if image.dimensions() != (SOURCE_SIDE as u32, SOURCE_SIDE as u32) {
        return Err(format!("{}×{} pixels instead of {SOURCE_SIDE}×{SOURCE_SIDE}", image.width(), image.height()));
    }
    Ok(resize::resize(image.as_raw(), 1, (SOURCE_SIDE, SOURCE_SIDE), (SIDE, SIDE), Filter::Bicubic))
}

#[cfg(test)]
#[path = "originals_tests.rs"]
mod tests;
