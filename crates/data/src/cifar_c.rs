//! What CIFAR-10-C and CIFAR-100-C share: test images under a corruption, as released or generated from the clean ones.

pub mod released;

use std::path::PathBuf;

use zsad_core::{Choice, DataDir, DataFile, Error, ReadBy, Result};

use crate::cifar::images::{Images, Store};
use crate::cifar::records::Records;
use crate::cifar::{Chosen, Release};
use crate::corruptions;

zsad_core::choices! {
    /// The files of the release, and `none`.
    pub enum Shift {
        /// None.
        None = "none",
        /// Brightness.
        Brightness = "brightness",
        /// Contrast.
        Contrast = "contrast",
        /// Defocus blur.
        DefocusBlur = "defocus_blur",
        /// Elastic transform.
        ElasticTransform = "elastic_transform",
        /// Fog.
        Fog = "fog",
        /// Frost.
        Frost = "frost",
        /// Gaussian blur.
        GaussianBlur = "gaussian_blur",
        /// Gaussian noise.
        GaussianNoise = "gaussian_noise",
        /// Glass blur.
        GlassBlur = "glass_blur",
        /// Impulse noise.
        ImpulseNoise = "impulse_noise",
        /// Jpeg compression.
        JpegCompression = "jpeg_compression",
        /// Motion blur.
        MotionBlur = "motion_blur",
        /// Pixelate.
        Pixelate = "pixelate",
        /// Saturate.
        Saturate = "saturate",
        /// Shot noise.
        ShotNoise = "shot_noise",
        /// Snow.
        Snow = "snow",
        /// Spatter.
        Spatter = "spatter",
        /// Speckle noise.
        SpeckleNoise = "speckle_noise",
        /// Zoom blur.
        ZoomBlur = "zoom_blur",
    }
}

zsad_core::choices! {
    /// Which classes train and which test.
    pub enum Protocol {
        /// All classes do both.
        ShiftOnly = "shift_only",
        /// Some train, the others test.
        UnseenClasses = "unseen_classes",
    }
}

/// The test images that the parameters ask for.
pub struct Corrupted {
    /// The clean data set.
    pub release: &'static Release,
    /// The folder of the released files in the data folder.
    pub folder: &'static str,
    /// Where those are published.
    pub hint: &'static str,
    /// What is done to the test images.
    pub corruption: Shift,
    /// How strongly, 1 … 5.
    pub severity: usize,
}

/// Where the test images come from.
enum Origin {
    Clean,
    Released(PathBuf),
    Generated,
}

impl Origin {
    fn word(&self) -> &'static str {
        match self {
            Origin::Clean => "none",
            Origin::Released(_) => "released",
            Origin::Generated => "generated",
        }
    }
}

impl Corrupted {
    /// The files that training and tests read.
    ///
    /// # Errors
    /// [`Error::Data`] where one is missing.
    pub fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let tests = match self.origin(data) {
            Origin::Released(path) => vec![path, self.labels(data)],
            Origin::Clean | Origin::Generated => vec![self.release.file(data, self.release.test)?],
        };
        let mut all = self.release.training_files(data)?;
        all.extend(DataFile::list(tests, ReadBy::Tests));
        Ok(all)
    }

    /// The data set of `chosen` with these test images.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is missing or damaged, or a corruption can neither be read nor generated.
    pub fn open(&self, chosen: Chosen, protocol: Protocol, data: &DataDir) -> Result<Images> {
        let origin = self.origin(data);
        let (store, labels) = self.test_images(&origin, data)?;
        let notes = vec![("corruptions".into(), origin.word().into())];
        let test = (store, &labels[..]);
        match protocol {
            Protocol::ShiftOnly => chosen.shift_only(data, test, notes),
            Protocol::UnseenClasses => chosen.unseen_classes(data, test, matches!(origin, Origin::Clean), notes),
        }
    }

    fn labels(&self, data: &DataDir) -> PathBuf {
        data.path.join(self.folder).join("labels.npy")
    }

    fn origin(&self, data: &DataDir) -> Origin {
        let released = data.path.join(self.folder).join(format!("{}.npy", self.corruption));
        match self.corruption {
            Shift::None => Origin::Clean,
            _ if released.exists() => Origin::Released(released),
            _ => Origin::Generated,
        }
    }

    /// The test images and their labels.
    fn test_images(&self, origin: &Origin, data: &DataDir) -> Result<(Store, Vec<u8>)> {
        if let Origin::Released(path) = origin {
            let source = released::Source { classes: self.release.classes, hint: self.hint };
            let read = source.read(path, &self.labels(data), self.severity);
            return read.map(|(pixels, labels)| (Store::Plain(pixels), labels));
        }
        let name = self.corruption.word();
        let corruption = corruptions::find(name);
        if let (Origin::Generated, None) = (origin, corruption) {
            let message = format!("not found, and `{name}` cannot be generated from clean images");
            let hint = "put the released file there, or choose another corruption";
            return Err(Error::data(data.path.join(self.folder).join(format!("{name}.npy")), message, hint));
        }
        let Records { labels, pixels, .. } = self.release.test(data)?;
        let store = match corruption {
            Some(corruption) => Store::corrupted(pixels, corruption, self.severity),
            None => Store::Plain(pixels),
        };
        Ok((store, labels))
    }
}
