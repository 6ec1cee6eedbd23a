//! Dead methods, each of which one check must catch, and a living one that passes them all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use zsad_core::{
    Accepts, Array, Batch, DatasetInfo, Detector, Environment, Error, FitContext, FitReport, Fold, Given, Method,
    MethodDef, MethodSpec, ParamProblem, ParamSet, ParamSpec, Result, Scores, State, Supervision,
};

use super::{data, violations};

/// What a faulty method scores a batch with.
type Score = fn(&Batch) -> Result<Vec<f64>>;

/// A training-free method around a scoring function.
#[derive(Clone, Copy)]
struct FaultInjection(Score, &'static MethodSpec);

const fn spec(accepts: Accepts) -> MethodSpec {
    MethodSpec { name: "planted", version: 1, summary: "", citation: "", accepts }
}

static ANY: MethodSpec = spec(Accepts::ANY);
static ROWS: MethodSpec = spec(Accepts::ROWS);

impl MethodDef for FaultInjection {
    fn spec(&self) -> &'static MethodSpec {
        self.1
    }

    fn params(&self) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn supervision(&self) -> Supervision {
        Supervision::InBatch
    }

    fn configure(&self, _: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        Ok(Arc::new(*self))
    }
}

impl Method for FaultInjection {
    fn values(&self) -> Value {
        json!({})
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        Ok(Arc::new(*self))
    }

    fn learns(&self) -> bool {
        false
    }

    /// Some, so that it is looked at with a cache, too.
    fn artifacts(&self, _: &Environment) -> Result<Vec<PathBuf>> {
        Ok(vec!["weights".into()])
    }

    fn fit(&self, _: &FitContext) -> Result<Box<dyn Detector>> {
        Ok(Box::new(*self))
    }
}

impl Detector for FaultInjection {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        self.0(batch).map(Scores::from)
    }
}

/// Squared distance to the batch's mean: simple and alive.
fn alive(batch: &Batch) -> Result<Vec<f64>> {
    let samples = batch.samples()?;
    let (n, x) = (samples.len() as f64, samples.to_f64());
    let rows: Vec<_> = x.chunks(samples.dim()).collect();
    let mean: Vec<f64> = (0..samples.dim()).map(|j| rows.iter().map(|r| r[j]).sum::<f64>() / n).collect();
    Ok(rows.iter().map(|r| r.iter().zip(&mean).map(|(a, m)| (a - m).powi(2)).sum()).collect())
}

/// `alive`, spoilt by `f(position, score)`.
fn spoilt(batch: &Batch, f: impl Fn(usize, f64) -> f64) -> Result<Vec<f64>> {
    Ok(alive(batch)?.into_iter().enumerate().map(|(i, s)| f(i, s)).collect())
}

/// The names of the checks that `score` fails on rows.
fn fails(score: Score) -> Vec<&'static str> {
    let rows = data::tabular().unwrap();
    violations(&FaultInjection(score, &ANY), &rows).into_iter().map(|v| v.check).collect()
}

#[test]
fn a_living_method_passes_on_rows_and_images() {
    assert_eq!(violations(&FaultInjection(alive, &ANY), &data::tabular().unwrap()), []);
    assert_eq!(violations(&FaultInjection(alive, &ANY), &data::images().unwrap()), []);
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
            vec!["labels_unseen", "scoring_repeats", "same_bits", "cache"]
        }
    });
}

#[test]
fn scores_that_depend_on_rows_are_caught() {
    // A row tells no label, but it is no value of the sample either.
    let peek: Score = |b| {
        let ids = b.ids();
        spoilt(b, |i, s| s + 1e-3 * f64::from(ids[i].row))
    };
    assert_eq!(fails(peek), ["labels_unseen"]);
}

#[test]
fn a_cache_that_changes_scores_is_caught() {
    let cached: Score = |b| {
        let off = f64::from(b.env().cache.is_some());
        spoilt(b, |_, s| s + off)
    };
    assert_eq!(fails(cached), ["cache"]);
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
}

#[test]
fn a_kind_that_is_declined_is_not_shown() {
    let never = FaultInjection(|_| Err(Error::failed("never")), &ROWS);
    assert_eq!(violations(&never, &data::images().unwrap()), []);
}

zsad_core::params! {
    /// Parameters of a method that pretends to train.
    struct Pretended {
        /// training steps
        steps: u64 = 1, in 1..;
        /// what is settled
        open: Option<u64> = None;
    }
}

/// A method that pretends to train: its curve, its saved weight, what it restores and settles are whatever the test says.
#[derive(Clone, Default)]
struct FaultyTraining {
    curve: &'static [f64],
    still: bool,
    forgets: bool,
    stays_open: bool,
    settles_on: bool,
    settles_differently: bool,
    drifts: bool,
    params: Pretended,
}

impl FaultyTraining {
    fn factor(&self) -> f64 {
        let shift = if self.settles_differently && self.params.open.is_none() { 1.0 } else { 0.0 };
        self.params.steps as f64 + shift
    }
}

impl MethodDef for FaultyTraining {
    fn spec(&self) -> &'static MethodSpec {
        &ANY
    }

    fn params(&self) -> Vec<ParamSpec> {
        Pretended::specs()
    }

    fn supervision(&self) -> Supervision {
        Supervision::ZeroShot
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        Ok(Arc::new(FaultyTraining { params: Pretended::parse(given)?, ..self.clone() }))
    }
}

impl Method for FaultyTraining {
    fn values(&self) -> Value {
        self.params.values()
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        let mut settled = self.clone();
        settled.params.open = match self.params.open {
            _ if self.stays_open => None,
            Some(value) if self.settles_on => Some(value + 1),
            open => Some(open.unwrap_or(3)),
        };
        Ok(Arc::new(settled))
    }

    fn learns(&self) -> bool {
        true
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        let mut fitted = self.clone();
        if self.drifts && ctx.progress.interrupted()?.is_some() {
            fitted.params.steps += 1;
        }
        for step in 0..self.curve.len() as u64 {
            if let Err(stopped) = ctx.progress.tick(step, self.curve.len() as u64, "loss") {
                ctx.progress.keep(State { network: json!({}), arrays: Default::default() })?;
                return Err(stopped);
            }
        }
        Ok(Box::new(fitted))
    }

    fn restore(&self, state: &State, _: &Environment) -> Result<Box<dyn Detector>> {
        state.array("weight")?;
        state.entry::<u64>("steps")?;
        let mut restored = self.clone();
        restored.params.steps = if self.forgets { 0 } else { self.params.steps };
        Ok(Box::new(restored))
    }
}

impl Detector for FaultyTraining {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        Ok(alive(batch)?.into_iter().map(|s| s * self.factor()).collect::<Vec<_>>().into())
    }

    fn state(&self) -> Result<Option<State>> {
        let weight = if self.still { 1.0 } else { self.params.steps as f32 };
        let arrays = [("weight".to_owned(), Array::single(vec![1], vec![weight]))].into();
        Ok(Some(State { network: json!({ "steps": self.params.steps }), arrays }))
    }

    fn report(&self) -> FitReport {
        let loss = self.curve.iter().enumerate().map(|(i, &l)| (i as u64, l)).collect();
        FitReport { loss, parameters: 1, ..FitReport::default() }
    }
}

#[test]
fn training_that_does_not_train_is_caught() {
    let rows = data::tabular().unwrap();
    let fails = |p: &FaultyTraining| violations(p, &rows).into_iter().map(|v| v.check).collect::<Vec<_>>();
    let well = FaultyTraining { curve: &[4.0, 3.0, 2.0, 1.0], ..FaultyTraining::default() };
    assert_eq!(fails(&well), [""; 0]);
    assert_eq!(fails(&FaultyTraining { curve: &[1.0, 2.0, 2.0, 1.0], ..well.clone() }), ["loss_falls"]);
    assert_eq!(fails(&FaultyTraining { curve: &[], ..well.clone() }), ["loss_falls"]);
    assert_eq!(fails(&FaultyTraining { still: true, ..well.clone() }), ["weights_move"]);
    assert_eq!(fails(&FaultyTraining { forgets: true, ..well.clone() }), ["save_and_load"]);
    assert_eq!(fails(&FaultyTraining { stays_open: true, ..well.clone() }), ["settled"]);
    assert_eq!(fails(&FaultyTraining { settles_on: true, ..well.clone() }), ["settled"]);
    assert_eq!(fails(&FaultyTraining { settles_differently: true, ..well.clone() }), ["settled"]);
    assert_eq!(fails(&FaultyTraining { drifts: true, ..well }), ["goes_on"]);
}

#[path = "../../template/method.rs"]
mod template;

#[test]
fn the_template_of_new_methods_passes() {
    assert_eq!(violations(&template::DEF, &data::tabular().unwrap()), []);
    assert_eq!(violations(&template::DEF, &data::images().unwrap()), []);
}
