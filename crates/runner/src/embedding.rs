//! Pictures of a batch around the learned centre, before its own statistics re-centre it and after: what adaptation does.

use std::path::PathBuf;

use rand::RngExt;
use zsad_core::rng::stream;
use zsad_core::{Batch, Codes, Detector, Environment, Error, MetricInput, Result, SampleRef, Subset, Unlabelled};
use zsad_models::math::principal_directions;
use zsad_report::plots::Style;
use zsad_report::plots::embedding::{self, Panel, Sample};
use zsad_report::ranked::{Candidate, Method, candidates};
use zsad_store::{ModelStore, Row, RunFolder};

use crate::executor::fit::restore;
use crate::library::Library;
use crate::redrawn::{Redrawn, redrawn};
use crate::registry::Registry;
use crate::typical::{MethodScores, most_typical};

/// Draws one batch of each data set of the run for which a trained method measures distances to a learned centre: of all
/// batches of the middle protocol point and the least seed the one whose AUROC is nearest to the method's mean. Returns the
/// paths.
///
/// # Errors
/// Where the data are missing or are not those of the run, or a file cannot be read or written.
pub fn write_all(
    folder: &RunFolder,
    store: &ModelStore,
    rows: &[Row],
    library: &Library,
    env: &Environment,
    style: &Style,
) -> Result<Vec<PathBuf>> {
    let (registry, mut paths) = (Registry::built_in(), Vec::new());
    for candidate in candidates(rows) {
        for method in &candidate.methods {
            let drawn = one(&Bench { folder, store, library, env, registry, style }, &candidate, method)?;
            if !drawn.is_empty() {
                paths.extend(drawn);
                break;
            }
        }
    }
    Ok(paths)
}

/// Where things are.
struct Bench<'a> {
    folder: &'a RunFolder,
    store: &'a ModelStore,
    library: &'a Library,
    env: &'a Environment,
    registry: Registry,
    style: &'a Style,
}

/// The pictures of one method; none where it has no centre.
fn one(bench: &Bench, candidate: &Candidate, method: &Method) -> Result<Vec<PathBuf>> {
    let Some(key) = method.cells.iter().next() else { return Ok(Vec::new()) };
    let Some(record) = bench.folder.record(key)? else { return Ok(Vec::new()) };
    // What was not trained is not in the store.
    if bench.store.fit(&record.fit_key)?.is_none() {
        return Ok(Vec::new());
    }
    let scores = [MethodScores::read(bench.folder, method)?];
    let Some((place, n)) = most_typical(&scores) else { return Ok(Vec::new()) };
    let [MethodScores { cells, batches }] = &scores;
    let (record, scored) = (&cells[&place.0], &batches[&place]);
    let Some(fit) = bench.store.fit(&record.fit_key)? else { return Ok(Vec::new()) };
    let path = bench.store.model_path(&record.fit_key);
    let detector = restore(&bench.registry, &path, &bench.store.load(&fit)?, bench.env)?;
    let dataset = bench.library.get(&record.cell.fit.data.name, &record.asked.dataset_params)?;
    let batch = redrawn(&dataset, record, &scored.batch, bench.env)?;
    let Some([before, after]) = both(detector.as_ref(), &batch, record.cell.seed(), bench.env)? else {
        return Ok(Vec::new());
    };
    let plane = plane(&before, &after)?;
    let labels = &scored.batch.labels;
    let panel = |heading: &str, codes: &Codes| panel(heading, codes, &plane, labels);
    let panels = [panel("before, among training normals", &before)?, panel("after, in its own batch", &after)?];
    let (point, (_, domain, number)) = (&candidate.point, &place);
    let title =
        format!("{}: a batch of {}, {domain}, around the centre of {}", candidate.run, point.dataset, method.label);
    let note = format!(
        "distance from the cross: to the learned centre, the score's root; {}, {}, seed {}, batch {number}, of {n} the one \
         nearest to the mean AUROC",
        point.size, point.contamination, candidate.seed
    );
    embedding::write(bench.folder.root(), &point.dataset, (&title, &note), &panels, bench.style)
}

/// The codes of every sample alone among as many normals of the meta-train domains as its batch has others, and in its
/// batch; none where the detector has no centre.
fn both(detector: &dyn Detector, batch: &Redrawn, seed: u64, env: &Environment) -> Result<Option<[Codes; 2]>> {
    let (view, info) = (batch.view.as_ref(), batch.view.info());
    let source = Unlabelled::new(view);
    let Some(after) = detector.codes(&Batch::new(&source, &batch.samples, env))? else { return Ok(None) };
    let domains: Vec<usize> = info.folds[batch.fold].meta_train.clone();
    let domains: Vec<usize> = domains.into_iter().filter(|&d| info.domains[d].size(Subset::Normal) > 0).collect();
    if domains.is_empty() {
        return Ok(None);
    }
    let mut rng = stream(seed, &[("purpose", "embedding")]);
    let mut normal = || {
        let domain = domains[rng.random_range(0..domains.len())];
        let index = rng.random_range(0..info.domains[domain].size(Subset::Normal)) as u32;
        SampleRef { domain: domain as u32, subset: Subset::Normal, index }
    };
    let others: Vec<SampleRef> = (1..batch.samples.len()).map(|_| normal()).collect();
    let dim = after.centre.len();
    let mut before = Codes { values: Vec::with_capacity(after.values.len()), centre: after.centre.clone() };
    for &sample in &batch.samples {
        let among = [&[sample], &others[..]].concat();
        let lost = || Error::failed("the detector has lost its centre");
        let codes = detector.codes(&Batch::new(&source, &among, env))?.ok_or_else(lost)?;
        before.values.extend(&codes.values[..dim]);
    }
    Ok(Some([before, after]))
}

/// The two principal directions of all codes about the centre, in which the picture looks at them.
fn plane(before: &Codes, after: &Codes) -> Result<Vec<Vec<f64>>> {
    let around = |codes: &Codes| -> Vec<f64> {
        let centre = codes.centre.iter().cycle();
        codes.values.iter().zip(centre).map(|(value, centre)| value - centre).collect()
    };
    principal_directions(&[around(before), around(after)].concat(), after.centre.len(), 2)
}

fn panel(heading: &str, codes: &Codes, plane: &[Vec<f64>], labels: &[bool]) -> Result<Panel> {
    let sample = |(code, &anomalous): (&[f64], &bool)| {
        let offset: Vec<f64> = code.iter().zip(&codes.centre).map(|(value, centre)| value - centre).collect();
        let along = |axis: &Vec<f64>| offset.iter().zip(axis).map(|(o, a)| o * a).sum::<f64>();
        let distance = offset.iter().map(|o| o * o).sum::<f64>().sqrt();
        Sample { distance, angle: along(&plane[1]).atan2(along(&plane[0])), anomalous }
    };
    let samples: Vec<Sample> = codes.values.chunks_exact(codes.centre.len()).zip(labels).map(sample).collect();
    let scores: Vec<f64> = samples.iter().map(|s| s.distance).collect();
    let auroc = zsad_metrics::AUROC.compute(MetricInput::Samples { scores: &scores, labels }).value();
    let auroc = auroc.ok_or_else(|| Error::failed("a batch of one class has no AUROC"))?;
    Ok(Panel { heading: format!("{heading}: AUROC {:.1}", 100.0 * auroc), samples })
}
