//! The drawings that come with the program: 28×28 pixels in 16 grey levels, unpacked when the first is asked for.

use std::io::Read;
use std::sync::OnceLock;

use lzma_rust2::XzReader;
use zsad_core::{
    DataFile, Dataset, DatasetInfo, Domain, Error, Fold, Result, SampleRef, Samples, Subset, Tags, Values,
};

use super::{DRAWINGS, PARTS, SIDE, SPEC};
use crate::images;

/// An alphabet a line with the number of its characters, in the order of the drawings.
const CHARACTERS: &str = include_str!("../../assets/omniglot/characters.txt");

/// All drawings, one after the other, two pixels a byte, in pieces. Made by `scripts/make_omniglot.py`.
const PIECES: [(&str, &[u8]); 3] = [
    ("embedded/omniglot/background_1.xz", include_bytes!("../../assets/omniglot/background_1.xz")),
    ("embedded/omniglot/background_2.xz", include_bytes!("../../assets/omniglot/background_2.xz")),
    ("embedded/omniglot/evaluation.xz", include_bytes!("../../assets/omniglot/evaluation.xz")),
];

/// Bytes of a drawing.
const PACKED: usize = SIDE * SIDE / 2;
/// From one of the 16 grey levels to the next, in 0 … 255.
const STEP: u8 = 17;

/// What stands beside the results on these drawings.
const NOTE: (&str, &str) =
    ("drawings", "embedded, 28×28, 16 grey levels; `zsad data fetch omniglot` brings the originals");

/// What keys know of the drawings: the pieces, by their bytes.
pub fn files() -> Vec<DataFile> {
    PIECES.iter().map(|(name, bytes)| DataFile::embedded(name, bytes)).collect()
}

/// The data set, its drawings packed or not yet read.
pub struct Embedded {
    info: DatasetInfo,
    drawings: OnceLock<Result<Vec<u8>>>,
}

impl Embedded {
    /// The data set under one fold.
    pub fn new(fold: Fold) -> Self {
        let domains = characters().map(|name| Domain::normals(name, DRAWINGS)).collect();
        let note = vec![(NOTE.0.to_owned(), NOTE.1.to_owned())];
        Embedded { info: images::grey(SPEC.name, SIDE, domains, fold, note), drawings: OnceLock::new() }
    }
}

impl Dataset for Embedded {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let drawings = self.drawings.get_or_init(unpacked).as_ref().map_err(Clone::clone)?;
        let mut values = Vec::with_capacity(refs.len() * SIDE * SIDE);
        for sample in refs {
            let is_one = sample.subset == Subset::Normal && (sample.index as usize) < DRAWINGS;
            let start = (sample.domain as usize * DRAWINGS + sample.index as usize) * PACKED;
            let packed = drawings.get(start..start + PACKED).filter(|_| is_one);
            let packed = packed.ok_or_else(|| self.no_sample(sample))?;
            let levels = packed.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
            values.extend(levels.map(|level| f32::from(STEP * level) / 255.0));
        }
        Ok(Samples::new(vec![1, SIDE, SIDE], Values::F32(values)))
    }

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        Ok(super::tags(&self.info, refs))
    }
}

/// The names of all characters, in the order of the drawings.
fn characters() -> impl Iterator<Item = String> {
    // A test reads every line.
    let alphabets = CHARACTERS.lines().filter_map(|line| line.split_once(' '));
    alphabets.flat_map(|(alphabet, n)| (1..=n.parse().unwrap_or(0)).map(move |i| format!("{alphabet}/character{i:02}")))
}

/// All drawings, packed.
fn unpacked() -> Result<Vec<u8>> {
    let characters: usize = PARTS.iter().map(|(_, n)| n).sum();
    let mut drawings = Vec::with_capacity(characters * DRAWINGS * PACKED);
    for (name, bytes) in PIECES {
        let read = XzReader::new(bytes, false).read_to_end(&mut drawings);
        read.map_err(|e| Error::failed(format!("{name}: {e}")))?;
    }
    Ok(drawings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::omniglot::DEF;
    use crate::testing;
    use sha2::{Digest, Sha256};

    #[test]
    fn all_drawings_are_in_the_program_and_have_a_known_digest() {
        let drawings = unpacked().unwrap();
        assert_eq!(drawings.len(), 32_460 * PACKED);
        // What `scripts/make_omniglot.py` packs, before it is compressed.
        let hex: String = Sha256::digest(&drawings).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "d783c258162a1300f2410dd23b33e5eb0e0bb691a8d6da6d9a1e2c8d56bea0ce");
    }

    #[test]
    fn without_a_data_folder_the_drawings_in_the_program_are_read() {
        let set = testing::open(&DEF, serde_json::json!({}), std::path::Path::new("none")).unwrap();
        let info = set.info();
        assert_eq!((info.domains.len(), info.folds[0].meta_test.len()), (1623, 423));
        assert_eq!(info.domains[0].name, "Alphabet_of_the_Magi/character01");
        assert_eq!(info.domains[964].name, "Angelic/character01");
        assert_eq!(info.domains[1622].name, "ULOG/character26");
        assert!(info.notes[0].1.starts_with("embedded, 28×28, 16 grey levels"));
        let sample = |domain, index| SampleRef { domain, subset: Subset::Normal, index };
        let x = set.gather(&[sample(1622, 19), sample(0, 0)]).unwrap();
        assert_eq!((x.len(), x.shape()), (2, &[1, 28, 28][..]));
        // The levels 0, 17, 34 … 255, most of them paper.
        let levels: Vec<f32> = x.to_f32().iter().map(|v| v * 15.0).collect();
        assert!(levels.iter().all(|v| (0.0..=15.0).contains(v) && (v - v.round()).abs() < 1e-5));
        assert!(levels.iter().filter(|v| **v > 14.5).count() > levels.len() / 2);
        for (domain, index) in [(0, 20), (1623, 0)] {
            assert!(set.gather(&[sample(domain, index)]).unwrap_err().to_string().contains("there is no sample"));
        }
        assert!(set.gather(&[SampleRef { subset: Subset::Anomalous, ..sample(0, 0) }]).is_err());
        let tags = set.tags(&[sample(1622, 19)]).unwrap();
        let said = |name: &str| tags.get(name).unwrap().word(0).unwrap();
        assert_eq!((said("alphabet"), said("drawer")), ("ULOG".into(), "20".into()));
    }
}
