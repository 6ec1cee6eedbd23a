//! OrganA of MedMNIST: organs in axial slices of CT scans; classes for meta-training from the training part, the others
//! from the test part.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use md5::{Digest, Md5};
use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Error, Fold, Load, PictureGeometry, ReadBy, Result,
};

use crate::formats::npy::Numbers;
use crate::formats::npz::Npz;
use crate::images::ByteImages;
use crate::{files, folds};

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<OrganA>(&SPEC);

zsad_core::params! {
    /// Parameters of OrganA.
    pub struct OrganA {
        /// folder, relative to the data folder; the release of 2022 with its blank images is fetched to organa_2022
        root: String = "organa".into();
        /// height and width of the images: 28, 64, 128 or 224
        size: usize = 28, in 28..=224;
        /// labels of the classes to train on (0 bladder, 1 and 2 femur, 3 heart, 4 and 5 kidney, 6 liver, 7 and 8 lung,
        /// 9 pancreas, 10 spleen)
        meta_train: Vec<u8> = vec![0, 1, 2, 3, 4, 5, 6, 7], in 0..=10;
        /// labels of the classes to test on, none of them in meta_train
        meta_test: Vec<u8> = vec![8, 9, 10], in 0..=10;
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "organa",
    version: 1,
    summary: "OrganAMNIST, 58,830 grey axial slices of CT scans in 0 … 1; each of 11 organs a domain, trained on the \
              training part and tested on the test part; the split of the organs is this program's, that of published \
              results is not known. The record says which of the two releases of 28 pixels was read",
    citation: "Yang, Shi, Wei, Liu, Zhao, Ke, Pfister and Ni, MedMNIST v2: A Large-Scale Lightweight Benchmark for 2D \
               and 3D Biomedical Image Classification, Scientific Data 2023; CC BY 4.0",
    files: "organa/organamnist.npz, or organamnist_64.npz, _128, _224",
    test_params: &["meta_test"],
};

const HINT: &str = "put MedMNIST's organamnist.npz (or organamnist_64.npz …) there";

/// Height and width of the released images.
const SIZES: [usize; 4] = [28, 64, 128, 224];

const NAMES: [&str; 11] = [
    "bladder",
    "femur-left",
    "femur-right",
    "heart",
    "kidney-left",
    "kidney-right",
    "liver",
    "lung-left",
    "lung-right",
    "pancreas",
    "spleen",
];

/// The two releases of 28 pixels, by MD5 as MedMNIST's own table has it: in the second, blank images are left out.
const RELEASES: [(&str, &str); 2] = [
    ("866b832ed4eeba67bfb9edee1d5544e6", "zenodo 6496656 (2022)"),
    ("68e3f8846a6bd62f0c9bf841c0d9eacc", "zenodo 10519652 (2024)"),
];

impl OrganA {
    fn find(&self, data: &DataDir) -> Result<PathBuf> {
        let size = if self.size == SIZES[0] { String::new() } else { format!("_{}", self.size) };
        files::require(data, &format!("{}/organamnist{size}.npz", self.root), HINT)
    }

    /// The classes in use, ascending: the order of the domains.
    fn classes(&self) -> BTreeSet<u8> {
        self.meta_train.iter().chain(&self.meta_test).copied().collect()
    }
}

impl Load for OrganA {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        Ok(DataFile::list([self.find(data)?], ReadBy::Both))
    }

    fn check(&self) -> Result<()> {
        if !SIZES.contains(&self.size) {
            return Err(Error::Config(format!("organa: size {} is not released; 28, 64, 128 and 224 are", self.size)));
        }
        folds::check(SPEC.name, "class", &self.meta_train, &self.meta_test)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(PictureGeometry::stretched(1, self.size, self.size))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let path = self.find(data)?;
        let classes: Vec<u8> = self.classes().into_iter().collect();
        let trains = |class: u8| self.meta_train.contains(&class);
        let mut pools = vec![Vec::new(); classes.len()];
        for (part, train) in [("train", true), ("test", false)] {
            let wanted = |label| classes.iter().position(|&c| c == label).filter(|_| trains(label) == train);
            read(&path, part, self.size, |label, image| {
                if let Some(domain) = wanted(label) {
                    pools[domain].extend_from_slice(image);
                }
            })?;
        }
        let domains = classes.iter().map(|&c| NAMES[usize::from(c)].to_owned()).zip(pools).collect();
        let of = |train| (0..).zip(&classes).filter(move |(_, c)| trains(**c) == train).map(|(i, _)| i);
        let fold = Fold::single(of(true), of(false));
        let notes = vec![("release".into(), release(&path)?)];
        Ok(Arc::new(ByteImages::new(SPEC.name, self.size, domains, fold, notes)))
    }
}

/// Calls `f` with label and pixels of every image of a part.
///
/// # Errors
/// [`Error::Data`] where an array is missing, of another shape or type, or a label is out of range.
fn read(path: &Path, part: &str, side: usize, mut f: impl FnMut(u8, &[u8])) -> Result<()> {
    let bad = |message: String| Error::data(path, message, HINT);
    let mut npz = Npz::open(path)?;
    let labels = npz.array(&format!("{part}_labels"))?;
    let n = labels.shape[0];
    let whole = labels.to_i64().filter(|_| labels.shape == [n, 1]);
    let whole = whole.ok_or_else(|| bad(format!("{part}_labels of shape {:?} instead of [n, 1]", labels.shape)))?;
    let images = npz.array(&format!("{part}_images"))?;
    let Numbers::U8(pixels) = &images.numbers else { return Err(bad(format!("{part}_images are no bytes"))) };
    if images.shape != [n, side, side] {
        let message =
            format!("{part}_images of shape {:?} beside {n} labels, wanted [n, {side}, {side}]", images.shape);
        return Err(bad(message));
    }
    for (i, (label, image)) in whole.iter().zip(pixels.chunks_exact(side * side)).enumerate() {
        let label = u8::try_from(*label).ok().filter(|l| usize::from(*l) < NAMES.len());
        f(label.ok_or_else(|| bad(format!("{part}_labels[{i}] is {}, not one of 0 … 10", whole[i])))?, image);
    }
    Ok(())
}

/// Which release a file is: its name, or the MD5 of a file that is neither.
fn release(path: &Path) -> Result<String> {
    let mut file = BufReader::new(File::open(path).map_err(|e| Error::io(path, &e))?);
    let (mut hash, mut buffer) = (Md5::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(|e| Error::io(path, &e))? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    let md5: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let known = RELEASES.iter().find(|(hash, _)| *hash == md5);
    Ok(known.map_or_else(|| format!("md5 {md5}"), |(_, name)| (*name).to_owned()))
}

#[cfg(test)]
mod tests;
