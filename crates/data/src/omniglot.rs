//! Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings of each, as 28×28 images.

use std::path::PathBuf;
use std::sync::Arc;

use image::ImageFormat;
use rayon::prelude::*;
use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, PictureGeometry, ReadBy, Result,
};

use crate::formats::image_tree::ImageTree;
use crate::images::ByteImages;
use crate::resize::{self, Filter};
use crate::{files, folds};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Omniglot>(&SPEC);

zsad_core::choices! {
    /// Which characters train and which test.
    pub enum Split {
        /// At random over all alphabets.
        Characters = "characters",
        /// By alphabet.
        Alphabet = "alphabet",
    }
}

zsad_core::params! {
    /// Parameters of Omniglot.
    pub struct Omniglot {
        /// characters: 1,200 for meta-training and 423 for testing, at random but always the same; alphabet: the 30
        /// background alphabets (964 characters) for meta-training and the 20 evaluation alphabets (659) for testing
        split: Split = Split::Characters;
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "omniglot",
    version: 1,
    summary: "Omniglot, 1,623 characters × 20 drawings, 28×28 in 0 … 1 (paper 1, ink 0); each character a domain",
    citation: "Lake, Salakhutdinov and Tenenbaum, Human-Level Concept Learning through Probabilistic Program \
               Induction, Science 2015; MIT licence. Protocol: Li et al., Zero-Shot Anomaly Detection via Batch \
               Normalization, NeurIPS 2023",
    files: "omniglot/images_background.zip and images_evaluation.zip, or the same two folders extracted",
    test_params: &[],
};

const HINT: &str =
    "put images_background.zip and images_evaluation.zip of the Omniglot repository there, or extract them there";
/// The two parts and how many characters each holds.
const PARTS: [(&str, usize); 2] = [("images_background", 964), ("images_evaluation", 659)];
const META_TRAIN_CHARACTERS: usize = 1200;
const DRAWINGS: usize = 20;
const SOURCE_SIDE: usize = 105;
const SIDE: usize = 28;

/// The archive or the folder of a part.
fn find(data: &DataDir, part: &str) -> Result<PathBuf> {
    files::first_of(data, &[&format!("omniglot/{part}.zip"), &format!("omniglot/{part}")], HINT)
}

impl Load for Omniglot {
    /// All of them for both: which characters train is drawn from all.
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let mut all = Vec::new();
        for (part, _) in PARTS {
            let tree = ImageTree::open(&find(data, part)?)?;
            all.extend(DataFile::list(tree.files()?, ReadBy::Both));
        }
        Ok(all)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(PictureGeometry::stretched(1, SIDE, SIDE))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let mut domains = Vec::new();
        for (part, wanted) in PARTS {
            let path = find(data, part)?;
            let characters = read_part(&ImageTree::open(&path)?)?;
            if characters.len() != wanted {
                let message = format!("{} characters instead of {wanted}", characters.len());
                return Err(Error::data(&path, message, HINT));
            }
            domains.extend(characters);
        }
        Ok(Arc::new(ByteImages::new(SPEC.name, SIDE, domains, fold(self.split), vec![])))
    }
}

/// The split of the paper's code, or whole alphabets.
fn fold(split: Split) -> Fold {
    let (train, all) = (PARTS[0].1, PARTS[0].1 + PARTS[1].1);
    match split {
        Split::Characters => folds::shuffled(SPEC.name, all, META_TRAIN_CHARACTERS, 0),
        Split::Alphabet => Fold::single(0..train, train..all),
    }
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
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;
    use sha2::{Digest, Sha256};
    use std::io::Write;
    use std::path::Path;

    /// A ring: 1 bit a pixel, ink 0, as the original files.
    const RING: &[u8] = include_bytes!("../tests/fixtures/omniglot_ring.png");

    fn hex(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
    }

    fn name(character: usize, drawing: usize) -> String {
        format!("images_background/Greek/character{character:02}/{character:04}_{drawing:02}.png")
    }

    fn write_zip(path: &Path, drawings: usize) {
        let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.add_directory("images_background/Greek", options).unwrap();
        zip.start_file("__MACOSX/images_background/Greek/character01/x.png", options).unwrap();
        for i in 0..2 * drawings {
            zip.start_file(name(i % 2 + 1, i / 2 + 1), options).unwrap();
            zip.write_all(RING).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn a_drawing_is_resized_as_pillow_does_it() {
        // Image.open("omniglot_ring.png").convert("L").resize((28, 28), Image.BICUBIC): sum, row 10, SHA-256
        let small = decode(RING).unwrap();
        assert_eq!(small.iter().map(|&v| u64::from(v)).sum::<u64>(), 188_056);
        assert_eq!(small[286..294], [220, 29, 236, 255, 255, 255, 255, 255]);
        assert_eq!(hex(&small), "84ae417032c98621583da95e60e625f40b31c9344ca2fbbf1c3571698029f470");
    }

    #[test]
    fn zip_and_tree_read_alike() {
        let dir = tempfile::tempdir().unwrap();
        let zip = dir.path().join("images_background.zip");
        write_zip(&zip, DRAWINGS);
        let tree = dir.path().join("tree");
        for i in 0..2 * DRAWINGS {
            let file = tree.join(name(i % 2 + 1, i / 2 + 1).strip_prefix("images_background/").unwrap());
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, RING).unwrap();
        }
        let from_zip = read_part(&ImageTree::open(&zip).unwrap()).unwrap();
        let from_tree = read_part(&ImageTree::open(&tree).unwrap()).unwrap();
        assert_eq!(from_zip, from_tree);
        let names: Vec<_> = from_zip.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["Greek/character01", "Greek/character02"]);
        assert!(from_zip.iter().all(|(_, images)| images.len() == DRAWINGS * SIDE * SIDE));
    }

    #[test]
    fn missing_incomplete_and_damaged_archives_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let zip = dir.path().join("omniglot/images_background.zip");
        let fails = || testing::open(&DEF, json!({}), dir.path()).err().unwrap().to_string();
        let message = fails();
        assert!(message.contains("images_background.zip: not found") && message.contains("extract them"), "{message}");
        std::fs::create_dir(zip.parent().unwrap()).unwrap();
        write_zip(&zip, DRAWINGS - 1);
        assert!(fails().contains("Greek/character01 has 19 drawings instead of 20"), "{}", fails());
        write_zip(&zip, DRAWINGS);
        assert!(fails().contains("2 characters instead of 964"), "{}", fails());
        let mut bytes = std::fs::read(&zip).unwrap();
        let at = bytes.windows(4).rposition(|w| w == b"IDAT").unwrap();
        bytes[at + 8] ^= 0xff;
        std::fs::write(&zip, &bytes).unwrap();
        assert!(fails().contains("character02/0002_20.png: "), "{}", fails());
        std::fs::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
        assert!(fails().contains("images_background.zip: damaged or truncated"), "{}", fails());
    }

    #[test]
    fn the_splits_are_disjoint_fixed_and_of_the_stated_sizes() {
        for (split, train, test) in [(Split::Characters, 1200, 423), (Split::Alphabet, 964, 659)] {
            let f = fold(split);
            assert_eq!((f.meta_train.len(), f.meta_test.len()), (train, test));
            assert!(f.meta_train.iter().all(|d| f.meta_test.binary_search(d).is_err()));
            assert_eq!(f, fold(split));
        }
        assert_eq!(fold(Split::Alphabet).meta_test[0], 964);
        // The split is part of the protocol: it must never change within a version.
        assert_eq!(fold(Split::Characters).meta_test[..5], [0, 5, 9, 16, 24]);
    }
}
