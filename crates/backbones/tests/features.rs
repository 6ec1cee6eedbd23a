//! The cache of features, beside the backbone itself.

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use zsad_backbones::features::{FeatureSpec, FeatureStore, Reduction};
use zsad_backbones::{Backbone, BackboneKind, LayerShape, NormMode};
use zsad_core::{
    AnomalySource, Batch, DataDir, Dataset, DatasetInfo, Domain, Environment, Fold, Modality, Result, SampleId,
    SampleRef, Samples, Silent, Subset, Unlabelled, Values,
};

/// Two domains of formula images; counts how many images were asked for.
struct Images {
    info: DatasetInfo,
    identity: Option<String>,
    salt: u32,
    gathered: AtomicUsize,
}

const SIDE: usize = 32;

impl Images {
    fn new(channels: usize, identity: Option<&str>, salt: u32) -> Self {
        let domain = |name: &str| Domain { name: name.into(), normal: 3, anomalous: 2, reference: 18 };
        let info = DatasetInfo {
            name: "images".into(),
            modality: Modality::Image { channels, height: SIDE, width: SIDE },
            domains: vec![domain("a"), domain("b")],
            folds: vec![Fold { name: String::new(), meta_train: vec![0], meta_test: vec![1] }],
            anomalies: AnomalySource::Genuine,
            notes: vec![],
        };
        Images { info, identity: identity.map(String::from), salt, gathered: AtomicUsize::new(0) }
    }
}

impl Dataset for Images {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn identity(&self, domain: usize) -> Option<String> {
        self.identity.as_ref().map(|identity| format!("{identity}/{domain}"))
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        self.gathered.fetch_add(refs.len(), Ordering::Relaxed);
        let shape = self.info.modality.shape();
        let d = shape.iter().product::<usize>();
        let value = |r: &SampleRef, i: usize| {
            let seed = r.domain * 7 + r.subset as u32 * 31 + r.index * 3 + self.salt;
            ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed * 977) >> 8) as f32 / (1 << 24) as f32
        };
        let values = refs.iter().flat_map(|r| (0..d).map(move |i| value(r, i))).collect();
        Ok(Samples::new(shape, Values::F32(values)))
    }
}

fn sample(domain: u32, subset: Subset, index: u32) -> SampleRef {
    SampleRef { domain, subset, index }
}

fn backbone() -> Backbone {
    let kind = BackboneKind::ResNet18;
    Backbone::from_tensors(kind, NormMode::Running, &common::formula_weights(kind), Path::new("formula")).unwrap()
}

fn spec(reduction: Reduction) -> FeatureSpec {
    FeatureSpec { layers: vec![3, 1], reduction }
}

fn env(cache: Option<&Path>) -> Environment {
    Environment::new(DataDir::resolve(None)).with_cache(cache.map(Into::into), false)
}

/// What the store is asked for: samples without labels.
fn ids(images: &Images, refs: &[SampleRef]) -> Vec<SampleId> {
    Batch::new(&Unlabelled::new(images), refs, &env(None)).ids()
}

fn open(images: &Images, ids: &[SampleId], reduction: Reduction, cache: Option<&Path>) -> FeatureStore {
    let source = Unlabelled::new(images);
    FeatureStore::open(&source, ids, &spec(reduction), &backbone(), &env(cache), &Silent).unwrap()
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join("features")).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.extension().is_some_and(|e| e == "bin")).count()
}

#[test]
fn features_are_the_backbones_with_and_without_a_cache() {
    let dir = tempfile::tempdir().unwrap();
    let images = Images::new(3, Some("images@1"), 0);
    let refs = [sample(1, Subset::Reference, 17), sample(0, Subset::Anomalous, 1), sample(1, Subset::Normal, 0)];
    let ids = ids(&images, &refs);
    let cached = open(&images, &ids, Reduction::Map, Some(dir.path()));
    assert_eq!(images.gathered.swap(0, Ordering::Relaxed), 2 * 23, "both domains, once");
    let plain = open(&images, &ids, Reduction::Map, None);
    assert_eq!(images.gathered.load(Ordering::Relaxed), 3, "without a cache only what is asked for");
    let backbone = backbone();
    for (r, id) in refs.iter().zip(&ids) {
        let image = images.gather(&[*r]).unwrap();
        let maps = backbone.features(&image.to_f32(), SIDE, SIDE, &[3, 1]).unwrap();
        for store in [&cached, &plain] {
            let features = store.get(*id).unwrap();
            for (i, map) in maps.iter().enumerate() {
                assert!(features.layer(i) == (map.shape, map.values.as_slice()));
            }
            assert_eq!(features.values().len(), features.layers().map(|(s, _)| s.len()).sum::<usize>());
        }
    }
    let other = (0..23).map(|row| SampleId { domain: 0, row }).find(|id| !ids.contains(id)).unwrap();
    assert!(cached.get(SampleId { domain: 0, row: 23 }).is_err() && plain.get(other).is_err());
    assert!(cached.get(other).is_ok());
}

#[test]
fn gray_images_and_means_over_space() {
    let gray = Images::new(1, None, 0);
    let id = ids(&gray, &[sample(0, Subset::Normal, 1)]);
    let full = open(&gray, &id, Reduction::Map, None);
    let mean = open(&gray, &id, Reduction::Mean, None);
    assert_eq!(mean.shapes()[0], LayerShape { channels: 256, height: 1, width: 1 });
    let (shape, map) = full.get(id[0]).unwrap().layer(1);
    let (_, pooled) = mean.get(id[0]).unwrap().layer(1);
    for (plane, &value) in map.chunks_exact(shape.positions()).zip(pooled) {
        let want = plane.iter().sum::<f32>() / plane.len() as f32;
        assert!((value - want).abs() < 1e-4 * want.abs().max(1.0));
    }
}

#[test]
fn another_data_set_another_file_and_equal_samples_the_same_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = |images: &Images| {
        let id = ids(images, &[sample(0, Subset::Normal, 0)]);
        open(images, &id, Reduction::Mean, Some(dir.path())).get(id[0]).unwrap().values().to_vec()
    };
    // Without an identity the samples themselves decide, wherever the data set lies in memory.
    let a = first(&Images::new(3, None, 0));
    assert_eq!(a, first(&Images::new(3, None, 0)));
    assert_eq!(files(dir.path()), 1);
    assert_ne!(a, first(&Images::new(3, None, 1)));
    assert_eq!(files(dir.path()), 2);
    first(&Images::new(3, Some("images@1"), 0));
    first(&Images::new(3, Some("images@2"), 0));
    assert_eq!(files(dir.path()), 4);
    // The order of the rows depends on the domain's name.
    let mut renamed = Images::new(3, Some("images@2"), 0);
    renamed.info.domains[0].name = "c".into();
    let again = first(&renamed);
    assert_eq!((again, files(dir.path())), (a, 5));
}
