//! CIFAR-100-C: CIFAR-100's test images under a corruption, as released or generated from the clean ones.

mod released;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use zsad_core::{
    Choice, DataDir, DataFile, Dataset, DatasetDef, DatasetSpec, Domain, Error, Fold, Load, PictureGeometry, ReadBy,
    Result,
};

use crate::cifar100::images::{self, Images, Pool, Store};
use crate::cifar100::records::{self, Records};
use crate::cifar100::{self, CLASSES, Cifar100};
use crate::corruptions;

/// The registry's entry.
pub const DEF: DatasetDef = DatasetDef::new::<Cifar100C>(&SPEC);

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

zsad_core::params! {
    /// Parameters of CIFAR-100-C.
    pub struct Cifar100C {
        /// shift_only: all 100 classes train with clean training images (domains train/<class>) and test with corrupted
        /// test images (test/<class>); unseen_classes: some classes train, the others test
        protocol: Protocol = Protocol::ShiftOnly;
        /// what is done to the test images
        corruption: Shift = Shift::GaussianNoise;
        /// how strongly
        severity: usize = 5, in 1..=5;
        /// see [`Cifar100`]
        clean: Cifar100 = Cifar100::default();
    }
}

static SPEC: DatasetSpec = DatasetSpec {
    name: "cifar100c",
    version: 1,
    summary: "CIFAR-100-C: trained on clean CIFAR-100, tested on corrupted test images, with the same classes \
              (shift_only) or others (unseen_classes)",
    citation: "Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and \
               Perturbations, ICLR 2019; CC BY 4.0. Protocol: Li et al., Zero-Shot Anomaly Detection via Batch \
               Normalization, NeurIPS 2023",
    files: "cifar100/cifar-100-binary/*; CIFAR-100-C/<corruption>.npy and labels.npy, else the corruption is generated \
            from test.bin with the published constants (all but frost and spatter) and the record says so",
    test_params: &["corruption", "severity"],
};

const FOLDER: &str = "CIFAR-100-C";

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

impl Load for Cifar100C {
    fn files(&self, data: &DataDir) -> Result<Vec<DataFile>> {
        let tests = match self.origin(data) {
            Origin::Released(path) => vec![path, labels(data)],
            Origin::Clean | Origin::Generated => vec![cifar100::file(data, "test.bin")?],
        };
        let mut all = cifar100::training_files(data)?;
        all.extend(DataFile::list(tests, ReadBy::Tests));
        Ok(all)
    }

    fn image(&self) -> Option<PictureGeometry> {
        Some(images::spec(self.clean.normalise))
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        let origin = self.origin(data);
        let (store, labels) = self.test_images(&origin, data)?;
        let notes = vec![("corruptions".into(), origin.word().into())];
        let test = (store, &labels[..]);
        Ok(Arc::new(match self.protocol {
            Protocol::ShiftOnly => self.shift_only(data, test, notes)?,
            Protocol::UnseenClasses => {
                let clean = matches!(origin, Origin::Clean);
                self.clean.unseen_classes(SPEC.name, data, test, clean, notes)?
            }
        }))
    }
}

fn labels(data: &DataDir) -> PathBuf {
    data.path.join(FOLDER).join("labels.npy")
}

impl Cifar100C {
    fn origin(&self, data: &DataDir) -> Origin {
        let released = data.path.join(FOLDER).join(format!("{}.npy", self.corruption));
        match self.corruption {
            Shift::None => Origin::Clean,
            _ if released.exists() => Origin::Released(released),
            _ => Origin::Generated,
        }
    }

    /// The test images and their labels.
    fn test_images(&self, origin: &Origin, data: &DataDir) -> Result<(Store, Vec<u8>)> {
        if let Origin::Released(path) = origin {
            let read = released::read(path, &labels(data), self.severity);
            return read.map(|(pixels, labels)| (Store::Plain(pixels), labels));
        }
        let name = self.corruption.word();
        let corruption = corruptions::find(name);
        if let (Origin::Generated, None) = (origin, corruption) {
            let message = format!("not found, and `{name}` cannot be generated from clean images");
            let hint = "put the released file there, or choose another corruption";
            return Err(Error::data(data.path.join(FOLDER).join(format!("{name}.npy")), message, hint));
        }
        let Records { labels, pixels } = Records::read(&cifar100::file(data, "test.bin")?)?;
        let store = match corruption {
            Some(corruption) => Store::corrupted(pixels, corruption, self.severity),
            None => Store::Plain(pixels),
        };
        Ok((store, labels))
    }

    /// All classes train with clean training images and test with the images of `test` (a store and its labels).
    fn shift_only(&self, data: &DataDir, test: (Store, &[u8]), notes: Vec<(String, String)>) -> Result<Images> {
        let names = records::class_names(&cifar100::file(data, "fine_label_names.txt")?)?;
        let train = Records::read(&cifar100::file(data, "train.bin")?)?;
        let limit = self.clean.train_images.number().unwrap_or(usize::MAX);
        let (mut domains, mut pools) = (Vec::new(), Vec::new());
        for (store, part, labels, limit) in [(0, "train", &train.labels[..], limit), (1, "test", test.1, usize::MAX)] {
            for (class, name) in (0..).zip(&names) {
                let normal = Pool { store, images: records::of_class(labels, class, limit) };
                domains.push(Domain::normals(format!("{part}/{name}"), normal.images.len()));
                pools.push([normal, Pool::default()]);
            }
        }
        let fold = Fold::single(0..CLASSES, CLASSES..2 * CLASSES);
        let stores = vec![Store::Plain(train.pixels), test.0];
        Ok(Images::new(SPEC.name, domains, fold, notes, self.clean.normalise, stores, pools))
    }
}
