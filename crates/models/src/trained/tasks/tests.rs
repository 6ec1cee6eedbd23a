//! Tasks of rotated and mirrored images.

use std::collections::HashSet;

use zsad_core::{AnomalySource, DataDir, Dataset, Environment, Modality, Samples, Silent, TrainingData, Values};
use zsad_data::memory::{InMemory, MemoryDomain};

use super::*;

/// The eight variants of `[[0, 1], [2, 3]]`, by hand.
const VARIANTS: [[f32; 4]; 8] = [
    [0., 1., 2., 3.],
    [1., 3., 0., 2.],
    [3., 2., 1., 0.],
    [2., 0., 3., 1.],
    [1., 0., 3., 2.],
    [3., 1., 2., 0.],
    [2., 3., 0., 1.],
    [0., 2., 1., 3.],
];

#[test]
fn all_samples_of_a_task_are_turned_alike_and_every_variant_comes_from_every_domain() {
    // Two channels; a pixel tells its place, and its domain.
    let image = |domain: usize| (0..8).map(move |i| (10 * domain + i % 4) as f32);
    let domain = |j: usize| {
        let values = (0..6).flat_map(|_| image(j)).collect();
        MemoryDomain::normals(format!("d{j}"), Samples::new(vec![2, 2, 2], Values::F32(values)))
    };
    let fold = Fold { name: String::new(), meta_train: (0..3).collect(), meta_test: vec![3] };
    let modality = Modality::Image { channels: 2, height: 2, width: 2 };
    let domains = (0..4).map(domain).collect();
    let data = InMemory::new("turned", modality, domains, vec![fold], AnomalySource::OtherDomains).unwrap();
    let settings = TaskSettings {
        tasks: 200,
        normals: 3,
        outliers: 2,
        source: Source::Drawn(OutlierSource::OtherDomains),
        permute_columns: false,
        domains: None,
        augment: TaskAugment::RotateFlip,
        held_out: 0,
        published: None,
    };
    let (training, env) = (TrainingData::new(&data, &data.info().folds[0]), Environment::new(DataDir::resolve(None)));
    let ctx = FitContext { data: &training, seed: 1, env: &env, progress: &Silent };
    let source = TaskSource::new(&ctx, &settings).unwrap();
    assert_eq!(source.domains(), 24);
    let mut seen = HashSet::new();
    for index in 0..settings.tasks {
        let values = source.task(1, index).unwrap();
        assert_eq!(values, source.task(1, index).unwrap());
        let mut planes = values.chunks(4).map(|plane| {
            let domain = (plane[0] / 10.0).floor();
            let places: Vec<f32> = plane.iter().map(|v| v - 10.0 * domain).collect();
            (domain as usize, VARIANTS.iter().position(|v| v[..] == places[..]).unwrap())
        });
        let first = planes.next().unwrap();
        // Five samples of two planes each, the normals first.
        for (i, (domain, turned)) in (1..).zip(planes) {
            assert_eq!(turned, first.1);
            assert_eq!(domain == first.0, i < 6, "{index}: {domain} in place {i}");
        }
        seen.insert(first);
    }
    assert_eq!(seen.len(), 24, "{seen:?}");
}
