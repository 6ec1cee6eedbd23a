//! Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings of each, as 28×28 images.

mod embedded;
mod originals;

use std::sync::Arc;

use zsad_core::{
    DataDir, DataFile, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Fold, Load, PictureGeometry, Result, SampleRef,
    Tags,
};

use crate::folds;
use crate::images::ByteImages;

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
    files: "omniglot/images_background.zip and images_evaluation.zip, or the same two folders extracted; where neither is \
            there, the drawings that come with the program, 28×28 in 16 grey levels",
    test_params: &[],
};

/// The two parts and how many characters each holds.
const PARTS: [(&str, usize); 2] = [("images_background", 964), ("images_evaluation", 659)];
const META_TRAIN_CHARACTERS: usize = 1200;
const DRAWINGS: usize = 20;
const SIDE: usize = 28;

impl Load for Omniglot {
    /// The originals, where a part of them is there: then both must be.
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        if originals::are_there(data) { originals::files(data) } else { Ok(embedded::files()) }
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(PictureGeometry::stretched(1, SIDE, SIDE))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let fold = fold(self.split);
        if originals::are_there(data) {
            let images = ByteImages::new(SPEC.name, SIDE, originals::read(data)?, fold, vec![]);
            return Ok(Arc::new(images.with_tags(tags)));
        }
        Ok(Arc::new(embedded::Embedded::new(fold)))
    }

    fn tags(&self) -> &'static [&'static str] {
        &["alphabet", "drawer"]
    }
}

/// The alphabet of a character, and who drew it: the twenty drawings of an alphabet's characters are by the same people in
/// the same order.
fn tags(info: &DatasetInfo, refs: &[SampleRef]) -> Tags {
    let alphabet = |r: &SampleRef| Some(info.domains.get(r.domain as usize)?.name.split('/').next()?.to_owned());
    let drawer = |r: &SampleRef| Some(f64::from(r.index + 1));
    Tags::none(refs.len()).words("alphabet", refs.iter().map(alphabet)).numbers("drawer", refs.iter().map(drawer))
}

/// The split of the paper's code, or whole alphabets.
fn fold(split: Split) -> Fold {
    let (train, all) = (PARTS[0].1, PARTS[0].1 + PARTS[1].1);
    match split {
        Split::Characters => folds::shuffled(SPEC.name, all, META_TRAIN_CHARACTERS, 0),
        Split::Alphabet => Fold::single(0..train, train..all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
