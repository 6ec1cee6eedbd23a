//! Opening MNIST and Omniglot from their original files under `$ZSAD_DATA`.

use criterion::{Criterion, criterion_group, criterion_main};
use zsad_core::{DataDir, Given};

fn open(c: &mut Criterion) {
    let dir = DataDir::resolve(None);
    let mut group = c.benchmark_group("open");
    group.sample_size(10);
    for name in ["mnist", "omniglot"] {
        if !dir.path.join(name).is_dir() {
            println!("skipped: {} holds no {name}", dir.path.display());
            continue;
        }
        let Some(def) = zsad_data::find(name) else { continue };
        let Ok(source) = def.configure(&Given::new()) else { continue };
        group.bench_function(name, |b| b.iter(|| source.open(&dir).map(|set| set.info().domains.len())));
    }
    group.finish();
}

criterion_group!(benches, open);
criterion_main!(benches);
