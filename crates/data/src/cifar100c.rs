//! CIFAR-100-C: CIFAR-100's test images under a corruption, as released or generated from the clean ones.

mod released;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use zsad_core::{
    DataDir, Dataset, DatasetDef, DatasetSpec, Domain, Error, Fold, ParamDefault, ParamKind, ParamSpec, Params,
    PictureSpec, Result,
};

use crate::cifar100::pictures::{self, Pictures, Pool, Store};
use crate::cifar100::records::{self, Records};
use crate::cifar100::{self, CLASSES, META_TRAIN_CLASSES, NORMALISE, SPLIT_SEED, TRAIN_IMAGES};
use crate::corruptions;

/// The registry's entry.
pub const DEF: Cifar100C = Cifar100C;

/// CIFAR-100-C; see [`DEF`].
pub struct Cifar100C;

/// The files of the release, and `none`.
const CORRUPTIONS: &[&str] = &[
    "none",
    "brightness",
    "contrast",
    "defocus_blur",
    "elastic_transform",
    "fog",
    "frost",
    "gaussian_blur",
    "gaussian_noise",
    "glass_blur",
    "impulse_noise",
    "jpeg_compression",
    "motion_blur",
    "pixelate",
    "saturate",
    "shot_noise",
    "snow",
    "spatter",
    "speckle_noise",
    "zoom_blur",
];

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
    params: &[
        ParamSpec {
            name: "protocol",
            doc: "shift_only: all 100 classes train with clean training images (domains train/<class>) and test with \
                  corrupted test images (test/<class>); unseen_classes: some classes train, the others test",
            kind: ParamKind::Choice(&["shift_only", "unseen_classes"]),
            default: ParamDefault::Text("shift_only"),
        },
        ParamSpec {
            name: "corruption",
            doc: "what is done to the test images",
            kind: ParamKind::Choice(CORRUPTIONS),
            default: ParamDefault::Text("gaussian_noise"),
        },
        ParamSpec {
            name: "severity",
            doc: "how strongly",
            kind: ParamKind::Int { min: 1, max: 5 },
            default: ParamDefault::Int(5),
        },
        NORMALISE,
        TRAIN_IMAGES,
        META_TRAIN_CLASSES,
        SPLIT_SEED,
    ],
};

const FOLDER: &str = "CIFAR-100-C";

/// Where the test images come from.
enum Source {
    Clean,
    Released(PathBuf),
    Generated,
}

impl Source {
    fn of(params: &Params, dir: &DataDir) -> Self {
        let name = params.text("corruption");
        let released = dir.path.join(FOLDER).join(format!("{name}.npy"));
        match name {
            "none" => Source::Clean,
            _ if released.exists() => Source::Released(released),
            _ => Source::Generated,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Source::Clean => "none",
            Source::Released(_) => "released",
            Source::Generated => "generated",
        }
    }
}

impl DatasetDef for Cifar100C {
    fn spec(&self) -> &'static DatasetSpec {
        &SPEC
    }

    /// The version, the numbers of CIFAR-100's records, and whether the corruption is released or generated.
    fn revision(&self, params: &Params, dir: &DataDir) -> String {
        format!("{}-{}-{}", SPEC.version, records::counts(dir), Source::of(params, dir).word())
    }

    fn picture(&self, params: &Params) -> Option<PictureSpec> {
        Some(pictures::spec(params.bool("normalise")))
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        let source = Source::of(params, dir);
        let (store, labels) = test_images(&source, params, dir)?;
        let notes = vec![("corruptions".into(), source.word().into())];
        let clean = matches!(source, Source::Clean);
        Ok(Arc::new(if params.text("protocol") == "shift_only" {
            shift_only(params, dir, (store, &labels), notes)?
        } else {
            cifar100::unseen_classes(SPEC.name, params, dir, (store, &labels), clean, notes)?
        }))
    }
}

/// The test images and their labels.
fn test_images(source: &Source, params: &Params, dir: &DataDir) -> Result<(Store, Vec<u8>)> {
    let (name, severity) = (params.text("corruption"), params.size("severity"));
    if let Source::Released(path) = source {
        let labels = dir.path.join(FOLDER).join("labels.npy");
        return released::read(path, &labels, severity).map(|(pixels, labels)| (Store::Plain(pixels), labels));
    }
    let corruption = corruptions::find(name);
    if let (Source::Generated, None) = (source, corruption) {
        let message = format!("not found, and `{name}` cannot be generated from clean images");
        let remedy = "put the released file there, or choose another corruption";
        return Err(Error::data(dir.path.join(FOLDER).join(format!("{name}.npy")), message, remedy));
    }
    let Records { labels, pixels } = Records::read(&cifar100::file(dir, "test.bin")?)?;
    let store = match corruption {
        Some(corruption) => Store::corrupted(pixels, corruption, severity),
        None => Store::Plain(pixels),
    };
    Ok((store, labels))
}

/// All classes train with clean training images and test with the images of `test` (a store and its labels).
fn shift_only(params: &Params, dir: &DataDir, test: (Store, &[u8]), notes: Vec<(String, String)>) -> Result<Pictures> {
    let names = records::class_names(&cifar100::file(dir, "fine_label_names.txt")?)?;
    let train = Records::read(&cifar100::file(dir, "train.bin")?)?;
    let limit = params.opt_int("train_images").map_or(usize::MAX, |n| n as usize);
    let (mut domains, mut pools) = (Vec::new(), Vec::new());
    for (store, part, labels, limit) in [(0, "train", &train.labels[..], limit), (1, "test", test.1, usize::MAX)] {
        for (class, name) in (0..).zip(&names) {
            let normal = Pool { store, images: records::of_class(labels, class, limit) };
            domains.push(Domain::normals(format!("{part}/{name}"), normal.images.len()));
            pools.push([normal, Pool::default()]);
        }
    }
    let fold =
        Fold { name: String::new(), meta_train: (0..CLASSES).collect(), meta_test: (CLASSES..2 * CLASSES).collect() };
    let stores = vec![Store::Plain(train.pixels), test.0];
    Ok(Pictures::new(SPEC.name, domains, fold, notes, params.bool("normalise"), stores, pools))
}
