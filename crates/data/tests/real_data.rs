//! Data sets on their real files under `$ZSAD_DATA`; what is not there is ignored, with the reason in its name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zsad_core::{DataDir, Dataset, DatasetDef, Modality, SampleRef, Samples, Subset, Values};
use zsad_data::*;

/// A test of some folders of the data folder.
type Test = (&'static str, &'static [&'static str], fn(&Path));

const TESTS: &[Test] = &[
    ("nsl_kdd_the_real_files_have_their_known_counts", &["nsl_kdd"], nsl_kdd_the_real_files_have_their_known_counts),
    ("omniglot_all_32460_real_drawings_equal_pillows", &["omniglot"], omniglot_all_32460_real_drawings_equal_pillows),
    (
        "omniglot_the_drawings_in_the_program_are_the_real_ones_in_16_grey_levels",
        &["omniglot"],
        omniglot_the_drawings_in_the_program_are_the_real_ones_in_16_grey_levels,
    ),
    (
        "adbench_the_real_tables_have_their_known_sizes",
        &["adbench_classical"],
        adbench_the_real_tables_have_their_known_sizes,
    ),
    (
        "adbench_features_the_real_features_have_their_known_sizes",
        &["adbench_mvtec_resnet18"],
        adbench_features_the_real_features_have_their_known_sizes,
    ),
    (
        "gas_drift_the_real_batches_have_their_known_sizes",
        &["gas_drift"],
        gas_drift_the_real_batches_have_their_known_sizes,
    ),
    ("mvtec_real_pictures_equal_pillows", &["mvtec_ad_subset", "industrial"], mvtec_real_pictures_equal_pillows),
    ("cifar100_real_test_images_are_all_there", &["cifar100"], cifar100_real_test_images_are_all_there),
    (
        "mnist_the_real_files_have_their_known_counts_and_mean",
        &["mnist"],
        mnist_the_real_files_have_their_known_counts_and_mean,
    ),
    ("mvtec_has_the_samples_that_its_manifest_expects", &["mvtec_ad"], |dir| has_what_is_expected("mvtec", dir)),
    ("visa_has_the_samples_that_its_manifest_expects", &["visa"], |dir| has_what_is_expected("visa", dir)),
    ("btad_has_the_domains_that_its_manifest_expects", &["btad"], |dir| has_what_is_expected("btad", dir)),
];

/// SHA-256 in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The first 16 of them.
fn short(bytes: &[u8]) -> String {
    hex(bytes)[..16].to_owned()
}

fn bytes(samples: &Samples) -> Vec<u8> {
    samples.to_f32().iter().map(|v| (v * 255.0).round() as u8).collect()
}

fn main() {
    let data = std::env::var_os("ZSAD_DATA").map(PathBuf::from);
    let trial = |&(name, folders, test): &Test| {
        let missing = folders.iter().find(|f| !data.as_ref().is_some_and(|d| d.join(f).exists()));
        let title = missing.map_or(name.to_owned(), |f| format!("{name}: ignored, $ZSAD_DATA holds no {f}"));
        let dir = data.clone().unwrap_or_default();
        let run = move || {
            test(&dir);
            Ok(())
        };
        Trial::test(title, run).with_ignored_flag(missing.is_some())
    };
    libtest_mimic::run(&Arguments::from_args(), TESTS.iter().map(trial).collect()).exit();
}

fn open(def: &DatasetDef, given: Value, dir: &Path) -> zsad_core::Result<Arc<dyn Dataset>> {
    let source = def.configure(&serde_json::from_value(given).unwrap()).map_err(|p| panic!("{p:?}")).unwrap();
    source.open(&DataDir { path: dir.to_owned(), chosen_by: "--data" })
}

fn subset(set: &dyn Dataset, domain: usize, subset: Subset) -> Vec<SampleRef> {
    SampleRef::all(domain, subset, set.info().domains[domain].size(subset)).collect()
}

fn all_normals(set: &dyn Dataset) -> Vec<SampleRef> {
    (0..set.info().domains.len()).flat_map(|d| subset(set, d, Subset::Normal)).collect()
}

fn nsl_kdd_the_real_files_have_their_known_counts(dir: &Path) {
    let set = open(&nsl_kdd::DEF, json!({}), dir).unwrap();
    let info = set.info();
    let tested: Vec<_> = info.folds[0].meta_test.iter().map(|&d| info.domains[d].clone()).collect();
    let sizes: Vec<_> = tested.iter().map(|d| (d.name.as_str(), d.normal, d.anomalous)).collect();
    // pandas: groupby(service) of KDDTest+ and of KDDTrain+_20Percent, label == "normal"
    assert_eq!(sizes, [("test/ftp_data", 320, 531), ("test/private", 852, 3922), ("test/smtp", 618, 316)]);
    let trained: Vec<_> = info.folds[0].meta_train.iter().map(|&d| info.domains[d].normal).collect();
    let wanted = [40, 41, 1817, 93, 38, 117, 176, 7564, 32, 519, 34, 209, 123];
    assert_eq!(
        trained, wanted,
        "IRC, auth, domain_u, eco_i, ecr_i, finger, ftp, http, ntp_u, other, pop_3, telnet, urp_i"
    );
    assert_eq!(info.modality, Modality::rows(38 + 3 + 11));
}

fn omniglot_all_32460_real_drawings_equal_pillows(dir: &Path) {
    let set = open(&omniglot::DEF, json!({"split": "alphabet"}), dir).unwrap();
    let domains = &set.info().domains;
    assert_eq!((domains.len(), domains[0].name.as_str()), (1623, "Alphabet_of_the_Magi/character01"));
    assert_eq!(domains[1622].name, "ULOG/character26");
    // For the sorted names of both archives:
    // hashlib.sha256(Image.open(…).convert("L").resize((28, 28), Image.BICUBIC).tobytes() of one after the other)
    let x = set.gather(&all_normals(&*set)).unwrap();
    let bytes: Vec<u8> = x.to_f32().iter().map(|v| (v * 255.0).round() as u8).collect();
    assert_eq!(bytes.iter().map(|&v| u64::from(v)).sum::<u64>(), 5_953_151_357);
    assert_eq!(hex(&bytes), "3e4f9e1fb4682cc1ae437c12899a586db3874f8de0489385ff6d2c86912408af");
}

fn omniglot_the_drawings_in_the_program_are_the_real_ones_in_16_grey_levels(dir: &Path) {
    for split in ["characters", "alphabet"] {
        let [real, small] = [dir, Path::new("none")].map(|d| open(&omniglot::DEF, json!({"split": split}), d).unwrap());
        assert_eq!(real.info().domains, small.info().domains, "the same characters in the same order");
        assert_eq!(real.info().folds, small.info().folds);
        assert!(real.info().notes.is_empty() && small.info().notes.len() == 1, "results say which were read");
        let pixels = |set: &dyn Dataset| bytes(&set.gather(&all_normals(set)).unwrap());
        // The nearest of the levels 0, 17, 34 … 255.
        let levels: Vec<u8> = pixels(&*real).iter().map(|&v| ((u32::from(v) + 8) / 17 * 17) as u8).collect();
        assert_eq!(levels.len(), 32_460 * 28 * 28);
        assert!(levels == pixels(&*small));
    }
}

fn adbench_the_real_tables_have_their_known_sizes(dir: &Path) {
    let set = open(&adbench::DEF, json!({}), dir).unwrap();
    let info = set.info();
    assert_eq!((info.domains.len(), info.folds.len()), (33, 1));
    // numpy: rows, features, y.sum(), X.mean() of some of them, with every X dtype
    for (name, rows, d, anomalies, mean) in [
        ("4_breastw", 683, 9, 239, 3.148_365_056_124_939),
        ("32_shuttle", 49097, 9, 3511, 29.776_428_973_935_93),
        ("17_InternetAds", 1966, 1555, 368, 0.009_053_589_477_712_757),
        ("16_http", 567_498, 3, 2211, 3.592_788_840_718_586_4),
    ] {
        let i = info.domains.iter().position(|d| d.name == name).unwrap();
        let domain = &info.domains[i];
        assert_eq!((domain.normal + domain.anomalous, domain.anomalous), (rows, anomalies), "{name}");
        let refs = [subset(&*set, i, Subset::Normal), subset(&*set, i, Subset::Anomalous)].concat();
        let x = set.gather(&refs).unwrap();
        assert_eq!(x.dim(), d);
        let found = x.to_f64().iter().sum::<f64>() / (rows * d) as f64;
        assert!((found - mean).abs() < 1e-9 * mean.max(1.0), "{name}: {found}");
    }
}

fn adbench_features_the_real_features_have_their_known_sizes(dir: &Path) {
    let set = open(&adbench_features::DEF, json!({}), dir).unwrap();
    let info = set.info();
    let sizes: Vec<_> = info.domains.iter().map(|d| (d.normal + d.anomalous, d.anomalous)).collect();
    let wanted = [
        (292, 63),
        (374, 92),
        (351, 109),
        (397, 89),
        (342, 57),
        (501, 70),
        (369, 92),
        (335, 93),
        (434, 141),
        (480, 119),
        (347, 84),
        (102, 30),
        (313, 40),
        (326, 60),
        (391, 119),
    ];
    assert_eq!(sizes, wanted);
    assert_eq!((info.folds.len(), info.folds[3].name.as_str(), info.folds[3].meta_test[0]), (15, "carpet", 3));
    assert_eq!(info.folds[3].meta_train.len(), 14);
    let x = set.gather(&subset(&*set, 11, Subset::Anomalous)).unwrap();
    assert!(matches!(x.values(), Values::F32(_)));
    // numpy.load("MVTec-AD_toothbrush.npz"): X[y == 1].mean(dtype="f8")
    let mean = x.to_f64().iter().sum::<f64>() / (30.0 * 512.0);
    assert!((mean - 0.384_102_741_941).abs() < 1e-9, "{mean}");
}

fn gas_drift_the_real_batches_have_their_known_sizes(dir: &Path) {
    let set = open(&gas_drift::DEF, json!({}), dir).unwrap();
    let sizes: Vec<_> = set.info().domains.iter().map(|d| (d.normal, d.normal + d.anomalous)).collect();
    // zcat batchN.dat.gz | wc -l, and lines that begin with 2;
    let wanted = [(98, 445), (334, 1244), (490, 1586), (43, 161), (40, 197), (574, 2300), (30, 294), (55, 470)];
    assert_eq!(sizes, wanted);
    let each = open(&gas_drift::DEF, json!({"normal": "each"}), dir).unwrap();
    assert_eq!(each.info().domains.len(), 8 * 6 - 3, "toluene is absent from batches 3, 4 and 5");
}

/// Each real picture through the pipeline above (`Image.open(…).convert("RGB")`).
fn mvtec_real_pictures_equal_pillows(dir: &Path) {
    let set = open(&mvtec::DEF, json!({"roots": ["mvtec_ad_subset", "industrial"]}), dir).unwrap();
    let info = set.info();
    let sizes: Vec<_> = info.domains.iter().map(|d| (d.name.as_str(), d.reference, d.normal, d.anomalous)).collect();
    assert_eq!(
        sizes,
        [
            ("bottle", 60, 20, 63),
            ("leather", 4, 4, 11),
            ("screw", 100, 41, 119),
            ("magnetic_tile", 100, 50, 100),
            ("pavement", 74, 50, 60),
            ("pcb", 100, 50, 70),
            ("rail", 100, 50, 52),
            ("solar_cell", 80, 40, 40),
        ]
    );
    assert_eq!(info.folds.len(), 8);
    let first = |domain, pool| subset(&*set, domain, pool)[0];
    // bottle/train/good/000.png, screw/test/thread_top/000.png and magnetic_tile/test/crack/001.png
    let screw = SampleRef { index: 96, ..first(2, Subset::Anomalous) };
    let tile = SampleRef { index: 41, ..first(3, Subset::Anomalous) };
    let x = set.gather(&[first(0, Subset::Reference), screw, tile]).unwrap();
    let digests: Vec<_> = bytes(&x).chunks(x.dim()).map(short).collect();
    assert_eq!(digests, ["7de785ac077120d3", "f1395d863662eb40", "042d9b364f12700f"]);
    let masks = set.masks(&[screw, tile]).unwrap().unwrap();
    assert_eq!(short(&masks.values[..224 * 224]), "07a3da783b7c5a66");
    // This crack lies outside the middle square.
    assert!(masks.values[224 * 224..].iter().all(|v| *v == 0));
    assert_eq!(set.masks(&[first(7, Subset::Anomalous)]).unwrap(), None, "solar_cell has no masks");
}

/// ```python
/// a = np.fromfile("test.bin", np.uint8).reshape(-1, 3074)
/// x = np.concatenate([a[a[:, 1] == c, 2:] for c in range(100)])          # test images class by class
/// x.sum(dtype=np.uint64), hashlib.sha256(x.tobytes()).hexdigest()[:16]
/// ```
fn cifar100_real_test_images_are_all_there(dir: &Path) {
    let set = open(&cifar100::DEF, json!({"meta_train_classes": 1, "normalise": false}), dir).unwrap();
    let info = set.info();
    assert_eq!((info.domains[0].name.as_str(), info.domains[99].name.as_str()), ("apple", "worm"));
    let trained = info.folds[0].meta_train[0];
    assert!(info.domains.iter().all(|d| d.normal == 100));
    // The one class that trains shows its training images: its test images are read by training another class.
    let other =
        open(&cifar100::DEF, json!({"meta_train_classes": 1, "split_seed": 1, "normalise": false}), dir).unwrap();
    assert_ne!(other.info().folds[0].meta_train[0], trained);
    let mut hash = Sha256::new();
    let mut sum = 0;
    for class in 0..100 {
        let set = if class == trained { &other } else { &set };
        let x = set.gather(&subset(&**set, class, Subset::Normal)).unwrap();
        let bytes: Vec<u8> = x.to_f32().iter().map(|v| (v * 255.0).round() as u8).collect();
        sum += bytes.iter().map(|&b| u64::from(b)).sum::<u64>();
        hash.update(&bytes);
    }
    let digest: String = hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((sum, digest.as_str()), (3_755_249_331, "b6dd12052ad1d66f"));
}

fn mnist_the_real_files_have_their_known_counts_and_mean(dir: &Path) {
    let (train, test): (Vec<u8>, Vec<u8>) = ((0..9).collect(), (0..10).collect());
    let counts = |set: &dyn Dataset| set.info().domains.iter().map(|d| d.normal).collect::<Vec<_>>();
    let set = open(&mnist::DEF, json!({"meta_train": train, "meta_test": [9]}), dir).unwrap();
    assert_eq!(counts(&*set), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 1009]);
    let set = open(&mnist::DEF, json!({"meta_train": [], "meta_test": test}), dir).unwrap();
    assert_eq!(counts(&*set), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    // numpy.frombuffer(gzip.open("t10k-images-idx3-ubyte.gz").read()[16:], "u1").mean() / 255
    let x = set.gather(&all_normals(&*set)).unwrap().to_f64().into_owned();
    assert!((x.iter().sum::<f64>() / x.len() as f64 - 0.132_514_605_842).abs() < 1e-7);
}

fn has_what_is_expected(name: &str, dir: &Path) {
    let manifests = manifest::all().unwrap();
    let manifest = manifest::find(&manifests, name).unwrap();
    let def = find(&manifest.used_by[0]).unwrap();
    let set = open(def, serde_json::to_value(&manifest.params).unwrap(), dir).unwrap();
    let domains = &set.info().domains;
    let samples: usize = domains.iter().map(|d| d.normal + d.anomalous + d.reference).sum();
    let expect = manifest.expect.unwrap();
    assert_eq!(expect.domains, Some(domains.len() as u64));
    assert!(expect.samples.is_none_or(|wanted| wanted == samples as u64), "{samples} samples, wanted {expect:?}");
}
