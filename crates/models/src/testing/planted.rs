//! Dead methods, each of which one check must catch, and a living one that passes them all.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use zsad_core::{
    Device, Error, FitContext, FitReport, Fitted, Method, MethodDef, MethodSpec, Needs, Params, Pool, Result, Scores,
    Setting, TestBatch,
};

use super::{data, violations};

/// What a planted method scores a batch with.
type Score = fn(&TestBatch) -> Result<Vec<f64>>;

/// A training-free method around a scoring function.
#[derive(Clone, Copy)]
struct Planted(Score, &'static MethodSpec);

const fn spec(needs: Needs) -> MethodSpec {
    let setting = Setting::InBatch;
    MethodSpec { name: "planted", version: 1, summary: "", citation: "", setting, needs, params: &[] }
}

static ANY: MethodSpec = spec(Needs::ANY);
static ROWS: MethodSpec = spec(Needs { image: false, ..Needs::ANY });

impl MethodDef for Planted {
    fn spec(&self) -> &'static MethodSpec {
        self.1
    }

    fn build(&self, _: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(*self))
    }
}

impl Method for Planted {
    fn trains(&self) -> bool {
        false
    }

    fn fit(&self, _: &FitContext) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(*self))
    }
}

impl Fitted for Planted {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        self.0(batch).map(Scores::from)
    }

    fn save(&self, path: &Path) -> Result<()> {
        Err(Error::data(path, "nothing to save", ""))
    }
}

/// Squared distance to the batch's mean: simple and alive.
fn alive(batch: &TestBatch) -> Result<Vec<f64>> {
    let samples = batch.samples()?;
    let (n, x) = (samples.len() as f64, samples.to_f64());
    let rows: Vec<_> = x.chunks(samples.dim()).collect();
    let mean: Vec<f64> = (0..samples.dim()).map(|j| rows.iter().map(|r| r[j]).sum::<f64>() / n).collect();
    Ok(rows.iter().map(|r| r.iter().zip(&mean).map(|(a, m)| (a - m).powi(2)).sum()).collect())
}

/// `alive`, spoilt by `f(position, score)`.
fn spoilt(batch: &TestBatch, f: impl Fn(usize, f64) -> f64) -> Result<Vec<f64>> {
    Ok(alive(batch)?.into_iter().enumerate().map(|(i, s)| f(i, s)).collect())
}

/// The names of the checks that `score` fails on rows.
fn fails(score: Score) -> Vec<&'static str> {
    let rows = data::tabular().unwrap();
    violations(&Planted(score, &ANY), &rows).into_iter().map(|v| v.check).collect()
}

#[test]
fn a_living_method_passes_on_rows_and_images() {
    assert_eq!(violations(&Planted(alive, &ANY), &data::tabular().unwrap()), []);
    assert_eq!(violations(&Planted(alive, &ANY), &data::images().unwrap()), []);
}

#[test]
fn dead_scores_are_caught() {
    assert!(fails(|b| Ok(vec![1.0; b.len()])).contains(&"distinct_scores"));
    assert!(fails(|b| spoilt(b, |i, s| if i == 3 { f64::NAN } else { s })).contains(&"finite_scores"));
    assert!(fails(|b| Ok(alive(b)?[1..].to_vec())).contains(&"finite_scores"));
    assert_eq!(fails(|b| spoilt(b, |_, s| -s)), ["beats_chance"]);
    assert!(fails(|b| alive(b).map(|s| s.iter().map(|x| 1.0 / (x - x)).collect())).contains(&"finite_scores"));
}

#[test]
fn scores_that_ignore_their_input_are_caught() {
    let seen = fails(|b| Ok((0..b.len()).map(|i| (i as f64).sin()).collect()));
    assert!(seen.contains(&"permutation") && seen.contains(&"scoring_repeats"), "{seen:?}");
    assert_eq!(fails(|b| spoilt(b, |i, s| s + 0.01 * i as f64)), ["permutation"]);
}

#[test]
fn hidden_state_and_thread_counts_are_caught() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let seen = fails(|b| spoilt(b, |_, s| s + 1e-9 * CALLS.fetch_add(1, Ordering::Relaxed) as f64));
    assert!(seen.contains(&"same_bits") && seen.contains(&"scoring_repeats"), "{seen:?}");
    assert_eq!(fails(|b| spoilt(b, |_, s| s + 1e-9 * rayon::current_num_threads() as f64)), {
        // The checks themselves run outside the pools of the two fits, on as many threads as there are processors.
        if rayon::current_num_threads() == 1 {
            vec!["same_bits"]
        } else {
            vec!["labels_unseen", "scoring_repeats", "same_bits"]
        }
    });
}

#[test]
fn peeking_at_labels_is_caught() {
    let peek: Score = |b| {
        let refs = b.for_feature_cache().1;
        spoilt(b, |i, s| s + f64::from(u8::from(refs[i].pool == Pool::Anomalous)))
    };
    assert_eq!(fails(peek), ["labels_unseen"]);
}

#[test]
fn panics_and_untyped_refusals_are_caught() {
    assert_eq!(fails(|b| spoilt(b, |i, s| if i < 40 { panic!("out of luck") } else { s })), ["no_panic"]);
    assert_eq!(
        fails(|b| if b.len() < 40 { panic!("too few") } else { alive(b) }),
        ["small_batches", "identical_samples"]
    );
    assert_eq!(fails(|b| if b.len() < 3 { Err(Error::failed("too few")) } else { alive(b) }), ["small_batches"]);
    assert_eq!(fails(|b| if b.len() < 3 { Err(Error::refused("too few")) } else { alive(b) }), [""; 0]);
    assert_eq!(fails(|_| Err(Error::failed("never"))), ["runs"]);
    let images = data::images().unwrap();
    let seen: Vec<_> = violations(&Planted(alive, &ROWS), &images).into_iter().map(|v| v.check).collect();
    assert_eq!(seen, ["refuses_other_kinds"]);
}

/// A method that pretends to train: its curve, its saved weight and what it loads are whatever the test says.
#[derive(Clone)]
struct Pretender {
    curve: &'static [f64],
    moves: bool,
    forgets: bool,
    steps: u64,
}

static TRAINED: MethodSpec = MethodSpec {
    params: &[zsad_core::ParamSpec {
        name: "steps",
        doc: "training steps",
        kind: zsad_core::ParamKind::Int { min: 1, max: i64::MAX },
        default: zsad_core::ParamDefault::Int(1),
    }],
    ..spec(Needs::ANY)
};

impl MethodDef for Pretender {
    fn spec(&self) -> &'static MethodSpec {
        &TRAINED
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(Pretender { steps: params.size("steps") as u64, ..self.clone() }))
    }
}

impl Method for Pretender {
    fn trains(&self) -> bool {
        true
    }

    fn fit(&self, _: &FitContext) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(self.clone()))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        let read = candle_core::safetensors::load(path, &candle_core::Device::Cpu);
        read.map_err(|e| Error::data(path, format!("{e} on {device}"), ""))?;
        Ok(Box::new(Pretender { steps: if self.forgets { 0 } else { self.steps }, ..self.clone() }))
    }
}

impl Fitted for Pretender {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        Ok(alive(batch)?.into_iter().map(|s| s * self.steps as f64).collect::<Vec<_>>().into())
    }

    fn save(&self, path: &Path) -> Result<()> {
        let weight = if self.moves { self.steps as f32 } else { 1.0 };
        let tensor = candle_core::Tensor::new(&[weight], &candle_core::Device::Cpu).map_err(Error::failed)?;
        tensor.save_safetensors("weight", path).map_err(Error::failed)
    }

    fn report(&self) -> FitReport {
        let loss = self.curve.iter().enumerate().map(|(i, &l)| (i as u64, l)).collect();
        FitReport { loss, parameters: 1, notes: vec![] }
    }
}

#[test]
fn training_that_does_not_train_is_caught() {
    let rows = data::tabular().unwrap();
    let fails = |p: &Pretender| violations(p, &rows).into_iter().map(|v| v.check).collect::<Vec<_>>();
    let well = Pretender { curve: &[4.0, 3.0, 2.0, 1.0], moves: true, forgets: false, steps: 0 };
    assert_eq!(fails(&well), [""; 0]);
    assert_eq!(fails(&Pretender { curve: &[1.0, 2.0, 2.0, 1.0], ..well.clone() }), ["loss_falls"]);
    assert_eq!(fails(&Pretender { curve: &[], ..well.clone() }), ["loss_falls"]);
    assert_eq!(fails(&Pretender { moves: false, ..well.clone() }), ["weights_move"]);
    assert_eq!(fails(&Pretender { forgets: true, ..well }), ["save_and_load"]);
}

#[path = "../../template/method.rs"]
mod template;

#[test]
fn the_template_of_new_methods_passes() {
    assert_eq!(violations(&template::DEF, &data::tabular().unwrap()), []);
    assert_eq!(violations(&template::DEF, &data::images().unwrap()), []);
}
