//! Exact nearest neighbours inside a batch, as `knn` and `lof` use them, on rows of 32 features.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::RngExt;
use zsad_core::{
    Batch, DataDir, Dataset, Environment, FitContext, Modality, SampleRef, Samples, Silent, Subset, TrainingData,
    Unlabelled, Values, rng,
};
use zsad_data::memory::InMemory;
use zsad_models::find;

const FEATURES: usize = 32;

/// Rows around a hundred centres.
fn rows(n: usize) -> InMemory {
    let mut rng = rng::stream(0, &[("bench", "neighbours")]);
    let centres: Vec<f64> = (0..100 * FEATURES).map(|_| rng.random_range(-4.0..4.0)).collect();
    let mut values = Vec::with_capacity(n * FEATURES);
    for _ in 0..n {
        let centre = rng.random_range(0..100) * FEATURES;
        values.extend((0..FEATURES).map(|j| centres[centre + j] + rng.random_range(-1.0..1.0)));
    }
    let samples = Samples::new(vec![FEATURES], Values::F64(values));
    // Shapes agree and all values are finite.
    InMemory::batch(Modality::rows(FEATURES), samples, None).expect("a well-formed batch")
}

fn neighbours(c: &mut Criterion) {
    let mut group = c.benchmark_group("neighbours");
    group.sample_size(10);
    for n in [1_000, 10_000] {
        let dataset = rows(n);
        let refs: Vec<_> = SampleRef::all(0, Subset::Normal, n).collect();
        let (source, env) = (Unlabelled::new(&dataset), Environment::new(DataDir::resolve(None)));
        let data = TrainingData::new(&dataset, &dataset.info().folds[0]);
        for name in ["knn", "lof"] {
            // Both are registered and run with their defaults.
            let method = find(name).expect("registered").configure(&Default::default()).expect("valid defaults");
            let fitted = method.fit(&FitContext { data: &data, seed: 0, env: &env, progress: &Silent });
            let fitted = fitted.expect("nothing is fitted yet");
            group.bench_function(BenchmarkId::new(name, n), |b| {
                b.iter(|| fitted.score(black_box(&Batch::new(&source, &refs, &env))));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, neighbours);
criterion_main!(benches);
