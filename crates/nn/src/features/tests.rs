use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use zsad_core::method::Silent;
use zsad_core::{AnomalySource, DatasetInfo, Domain, Fold, Samples, Values};

use super::*;

/// Two domains of formula images; counts how many images were asked for.
struct Pictures {
    info: DatasetInfo,
    identity: Option<String>,
    salt: u32,
    gathered: AtomicUsize,
}

const SIDE: usize = 32;

impl Pictures {
    fn new(channels: usize, identity: Option<&str>, salt: u32) -> Self {
        let domain = |name: &str| Domain { name: name.into(), normal: 3, anomalous: 2, reference: 18 };
        let info = DatasetInfo {
            name: "pictures".into(),
            kind: Kind::Image { channels, height: SIDE, width: SIDE },
            domains: vec![domain("a"), domain("b")],
            folds: vec![Fold { name: String::new(), meta_train: vec![0], meta_test: vec![1] }],
            anomalies: AnomalySource::Genuine,
            notes: vec![],
        };
        Pictures { info, identity: identity.map(String::from), salt, gathered: AtomicUsize::new(0) }
    }
}

impl Dataset for Pictures {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn identity(&self, domain: usize) -> Option<String> {
        self.identity.as_ref().map(|identity| format!("{identity}/{domain}"))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        self.gathered.fetch_add(refs.len(), Ordering::Relaxed);
        let shape = self.info.kind.shape();
        let d = shape.iter().product::<usize>();
        let value = |r: &SampleRef, i: usize| {
            let seed = r.domain * 7 + r.pool as u32 * 31 + r.index * 3 + self.salt;
            ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed * 977) >> 8) as f32 / (1 << 24) as f32
        };
        let values = refs.iter().flat_map(|r| (0..d).map(move |i| value(r, i))).collect();
        Ok(Samples::new(shape, Values::F32(values)))
    }
}

fn sample(domain: u32, pool: Pool, index: u32) -> SampleRef {
    SampleRef { domain, pool, index }
}

/// Stores in these tests need real weights: `shared` reads them from the data folder.
fn spec(reduction: Reduction) -> Option<FeatureSpec> {
    let backbone = BackboneKind::EfficientNetLite0;
    if let Err(e) = Backbone::weights_file(backbone, &crate::backbones::data_folder()) {
        println!("skipped: {e}");
        return None;
    }
    Some(FeatureSpec { backbone, layers: vec![3, 1], reduction })
}

fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder.join("features")).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect()
}

#[test]
fn features_are_the_backbones_with_and_without_a_cache() {
    let Some(spec) = spec(Reduction::Map) else { return };
    let dir = tempfile::tempdir().unwrap();
    let pictures = Pictures::new(3, Some("pictures@1"), 0);
    let refs = [sample(1, Pool::Reference, 17), sample(0, Pool::Anomalous, 1), sample(1, Pool::Normal, 0)];
    let cached = FeatureStore::open(&pictures, &refs, &spec, Some(dir.path()), &Silent).unwrap();
    assert_eq!(pictures.gathered.swap(0, Ordering::Relaxed), 2 * 23, "both domains, once");
    let plain = FeatureStore::open(&pictures, &refs, &spec, None, &Silent).unwrap();
    assert_eq!(pictures.gathered.load(Ordering::Relaxed), 3, "without a cache only what is asked for");
    let backbone = Backbone::shared(spec.backbone, NormMode::Running).unwrap();
    for r in refs {
        let images = pictures.gather(&[r]).unwrap();
        let maps = backbone.features(&images.to_f32(), SIDE, SIDE, &spec.layers).unwrap();
        for store in [&cached, &plain] {
            let features = store.get(r).unwrap();
            for (i, map) in maps.iter().enumerate() {
                assert!(features.layer(i) == (map.shape, map.values.as_slice()));
            }
            assert_eq!(features.values().len(), features.layers().map(|(s, _)| s.len()).sum::<usize>());
        }
    }
    assert!(cached.get(sample(0, Pool::Normal, 3)).is_err() && plain.get(sample(0, Pool::Normal, 0)).is_err());
    assert!(cached.get(sample(0, Pool::Normal, 0)).is_ok());
}

#[test]
fn gray_images_and_means_over_space() {
    let (Some(maps), Some(means)) = (spec(Reduction::Map), spec(Reduction::Mean)) else { return };
    let gray = Pictures::new(1, None, 0);
    let r = [sample(0, Pool::Normal, 1)];
    let full = FeatureStore::open(&gray, &r, &maps, None, &Silent).unwrap();
    let mean = FeatureStore::open(&gray, &r, &means, None, &Silent).unwrap();
    assert_eq!(mean.shapes()[0], LayerShape { channels: 40, height: 1, width: 1 });
    let (shape, map) = full.get(r[0]).unwrap().layer(1);
    let (_, pooled) = mean.get(r[0]).unwrap().layer(1);
    let plane = shape.height * shape.width;
    for (c, &value) in pooled.iter().enumerate() {
        let want = map[c * plane..(c + 1) * plane].iter().sum::<f32>() / plane as f32;
        assert!((value - want).abs() < 1e-4 * want.abs().max(1.0));
    }
}

#[test]
fn another_data_set_another_file_and_equal_samples_the_same_one() {
    let Some(spec) = spec(Reduction::Mean) else { return };
    let dir = tempfile::tempdir().unwrap();
    let r = [sample(0, Pool::Normal, 0)];
    let first = |pictures: &Pictures| {
        let store = FeatureStore::open(pictures, &r, &spec, Some(dir.path()), &Silent).unwrap();
        store.get(r[0]).unwrap().values().to_vec()
    };
    // Without an identity the samples themselves decide, wherever the data set lies in memory.
    let a = first(&Pictures::new(3, None, 0));
    assert_eq!(a, first(&Pictures::new(3, None, 0)));
    assert_eq!(files(dir.path(), "bin").len(), 1);
    assert_ne!(a, first(&Pictures::new(3, None, 1)));
    assert_eq!(files(dir.path(), "bin").len(), 2);
    first(&Pictures::new(3, Some("pictures@1"), 0));
    first(&Pictures::new(3, Some("pictures@2"), 0));
    assert_eq!(files(dir.path(), "bin").len(), 4);
}

/// Drives the file layer as separate processes would, past the list of files already checked.
#[test]
fn damaged_files_are_found_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let header = Header { identity: serde_json::json!({"test": 1}), pools: [2, 0, 1], values: 5 };
    let path = |i: usize| dir.path().join(format!("features/{i}.bin"));
    let made = AtomicUsize::new(0);
    let make = |sink: &mut dyn FnMut(&[f32]) -> Result<()>| {
        made.fetch_add(1, Ordering::Relaxed);
        (0..3).try_for_each(|i| sink(&[i as f32, 0.5, -1.0, 1e-30, f32::MAX]))
    };
    file::open_or_make(&path(0), &header, false, make).unwrap().unwrap();
    let good = fs::read(path(0)).unwrap();
    for (i, at) in (0..good.len()).step_by(7).chain([good.len() - 1]).enumerate() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(path(i + 1), if i % 2 == 0 { &bad[..] } else { &bad[..at] }).unwrap();
        let file = file::open_or_make(&path(i + 1), &header, false, make).unwrap().unwrap();
        assert_eq!(made.load(Ordering::Relaxed), i + 2, "damage at {at} must be found");
        assert_eq!(file.sample(sample(0, Pool::Reference, 0)).unwrap()[0], 2.0);
        assert!(file.sample(sample(0, Pool::Anomalous, 0)).is_none());
        assert_eq!(fs::read(path(i + 1)).unwrap(), good);
    }
    let fails = |_: &mut dyn FnMut(&[f32]) -> Result<()>| Err(Error::failed("no images"));
    let error = file::open_or_make(&path(1000), &header, false, fails).unwrap_err();
    assert_eq!(error.to_string(), "no images");
    assert!(!path(1000).exists());
}

#[test]
fn two_runs_share_the_work_and_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let header = Header { identity: serde_json::json!({"test": 2}), pools: [1, 0, 0], values: 1 };
    let path = dir.path().join("features/x.bin");
    let outcome = file::open_or_make(&path, &header, false, |sink| {
        // While this one computes, another (with a handle of its own on the lock) is told to do something else …
        let other = file::open_or_make(&path, &header, false, |_| Err(Error::failed("computed twice"))).unwrap();
        assert!(other.is_none());
        // … or, having waited too long, computes too: whoever is last replaces an equal file.
        file::open_or_make(&path, &header, true, |sink| sink(&[3.0])).unwrap().unwrap();
        sink(&[3.0])
    });
    let file = outcome.unwrap().unwrap();
    assert_eq!(file.sample(sample(0, Pool::Normal, 0)), Some(&[3.0][..]));
    assert_eq!(files(dir.path(), "bin").len(), 1);
}
