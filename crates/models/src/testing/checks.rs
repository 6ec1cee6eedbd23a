//! The checks. Each looks at one promise of a method and says what it saw.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zsad_core::{Dataset, Error, Fitted, Kind, MethodDef, MetricInput, Pool, Result, SampleRef};

use super::subject::{Subject, checkpoint};
use super::{MARGIN, PERMUTATION_TOLERANCE};

/// A promise that a method broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// What was seen.
    pub message: String,
}

type Check = fn(&Subject, &Run) -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[
    ("finite_scores", finite_scores),
    ("distinct_scores", distinct_scores),
    ("permutation", permutation),
    ("labels_unseen", labels_unseen),
    ("scoring_repeats", scoring_repeats),
    ("same_bits", same_bits),
    ("small_batches", small_batches),
    ("identical_samples", identical_samples),
    ("beats_chance", beats_chance),
    ("save_and_load", save_and_load),
    ("loss_falls", loss_falls),
    ("weights_move", weights_move),
];

/// One fit on one thread and its scores of the first batch.
struct Run {
    fitted: Box<dyn Fitted>,
    batch: Vec<SampleRef>,
    scores: Vec<f64>,
}

/// All that is wrong with `def` on `dataset` (one of [`super::data`]'s); empty if it keeps every promise.
pub fn violations(def: &dyn MethodDef, dataset: &dyn Dataset) -> Vec<Violation> {
    let accepted = match dataset.info().kind {
        Kind::Image { .. } => def.spec().needs.image,
        Kind::Tabular { .. } => def.spec().needs.tabular,
    };
    let fit = guarded(|| {
        let subject = Subject::new(def, dataset, false)?;
        let (fitted, scores) = subject.run_on(1)?;
        Ok((Run { fitted, batch: subject.batch(0, 0), scores }, subject))
    });
    let violation = |check, message| vec![Violation { check, message }];
    let (run, subject) = match fit {
        Err(panic) => return violation("no_panic", panic),
        Ok(Err(Error::Refused(_) | Error::Config(_))) if !accepted => return Vec::new(),
        Ok(Err(e)) => return violation("runs", e.to_string()),
        Ok(Ok(_)) if !accepted => {
            return violation("refuses_other_kinds", "it scored data of a kind it declines".into());
        }
        Ok(Ok(pair)) => pair,
    };
    let outcome = |(check, f): &(&'static str, Check)| {
        let message = guarded(|| f(&subject, &run)).unwrap_or_else(|panic| Err(format!("panicked: {panic}"))).err()?;
        Some(Violation { check, message })
    };
    CHECKS.iter().filter_map(outcome).collect()
}

/// `f`'s result, or the message of its panic.
fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "a panic".into())
    })
}

fn text<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|e| e.to_string())
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

fn all_finite(scores: &[f64], wanted: usize) -> Result<(), String> {
    ensure(scores.len() == wanted, || format!("{} scores for {wanted} samples", scores.len()))?;
    let bad = scores.iter().position(|s| !s.is_finite());
    bad.map_or(Ok(()), |i| Err(format!("score {i} is {}", scores[i])))
}

fn finite_scores(_: &Subject, run: &Run) -> Result<(), String> {
    all_finite(&run.scores, run.batch.len())
}

fn distinct_scores(_: &Subject, run: &Run) -> Result<(), String> {
    let first = run.scores.first().copied();
    ensure(run.scores.iter().any(|&s| Some(s) != first), || format!("every score is {first:?}"))
}

fn permutation(subject: &Subject, run: &Run) -> Result<(), String> {
    let n = run.batch.len();
    // 7 and 40 have no common factor, so this visits every position once.
    let order: Vec<usize> = (0..n).map(|i| (7 * i + 3) % n).collect();
    let permuted: Vec<_> = order.iter().map(|&i| run.batch[i]).collect();
    let scores = text(subject.score(run.fitted.as_ref(), &permuted))?;
    all_finite(&scores, n)?;
    let largest = run.scores.iter().fold(0.0f64, |m, s| m.max(s.abs()));
    let off = order.iter().zip(&scores).map(|(&i, s)| (run.scores[i] - s).abs()).fold(0.0, f64::max);
    ensure(off <= PERMUTATION_TOLERANCE * largest, || format!("scores up to {largest} change by up to {off}"))
}

/// The same samples under names that do not tell their pool must get the same scores.
fn labels_unseen(subject: &Subject, run: &Run) -> Result<(), String> {
    let nameless = text(subject.nameless(&run.batch))?;
    let refs: Vec<_> =
        (0..run.batch.len() as u32).map(|index| SampleRef { domain: 0, pool: Pool::Normal, index }).collect();
    let scores = text(subject.score_in(&nameless, run.fitted.as_ref(), &refs))?;
    ensure(scores == run.scores, || "scores depend on what a sample is called, not on its values alone".into())
}

fn scoring_repeats(subject: &Subject, run: &Run) -> Result<(), String> {
    let other = subject.batch(1, 0);
    let elsewhere = text(subject.score(run.fitted.as_ref(), &other))?;
    ensure(elsewhere != run.scores, || "two batches of two domains get the same scores".into())?;
    let again = text(subject.score(run.fitted.as_ref(), &run.batch))?;
    ensure(again == run.scores, || "scoring a batch again, after another one, gives other scores".into())
}

/// A fit on two threads gives the bits of the fit on one; if not, a second fit on one thread tells why.
fn same_bits(subject: &Subject, run: &Run) -> Result<(), String> {
    if text(subject.run_on(2))?.1 == run.scores {
        return Ok(());
    }
    let again = text(subject.run_on(1))?.1;
    ensure(again == run.scores, || "two fits with one seed give different scores".into())?;
    Err("two threads give other scores than one".into())
}

fn small_batches(subject: &Subject, run: &Run) -> Result<(), String> {
    for n in [1, 2] {
        match subject.score(run.fitted.as_ref(), &run.batch[..n]) {
            Ok(scores) => all_finite(&scores, n).map_err(|e| format!("batch of {n}: {e}"))?,
            Err(Error::Refused(_)) => {}
            Err(e) => return Err(format!("batch of {n}: {e} (a refusal must be `Refused`)")),
        }
    }
    Ok(())
}

fn identical_samples(subject: &Subject, run: &Run) -> Result<(), String> {
    match subject.score(run.fitted.as_ref(), &[run.batch[0]; 12]) {
        Ok(scores) => all_finite(&scores, 12),
        Err(Error::Refused(_)) => Ok(()),
        Err(e) => Err(e.to_string()),
    }
}

fn beats_chance(subject: &Subject, run: &Run) -> Result<(), String> {
    let metric = zsad_metrics::find("auroc").ok_or("there is no auroc")?;
    let mut values = Vec::new();
    for domain in 0..subject.domains().len() {
        for b in 0..2 {
            let batch = subject.batch(domain, b);
            let scores = text(subject.score(run.fitted.as_ref(), &batch))?;
            let labels: Vec<bool> = batch.iter().map(|r| r.pool == Pool::Anomalous).collect();
            values.extend(metric.compute(MetricInput::Samples { scores: &scores, labels: &labels }).value());
        }
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    ensure(mean >= 0.5 + MARGIN, || format!("mean AUROC on easy data is {mean:.3}, wanted {}", 0.5 + MARGIN))
}

fn save_and_load(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.trains() {
        return Ok(());
    }
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = checkpoint(dir.path(), "model");
    text(run.fitted.save(&path))?;
    let loaded = text(subject.method.load(&path, Default::default()))?;
    let scores = text(subject.score(loaded.as_ref(), &run.batch))?;
    ensure(scores == run.scores, || "a reloaded detector gives other scores".into())?;
    let damaged = checkpoint(dir.path(), "damaged");
    std::fs::write(&damaged, b"not a checkpoint").map_err(|e| e.to_string())?;
    for path in [damaged, checkpoint(dir.path(), "missing")] {
        let outcome = subject.method.load(&path, Default::default()).err();
        let well = matches!(&outcome, Some(Error::Data { path: named, .. }) if *named == path);
        ensure(well, || format!("loading {} must be a data error that names it, not {outcome:?}", path.display()))?;
    }
    Ok(())
}

/// The mean loss of the last quarter of the curve lies below that of the first.
fn loss_falls(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.trains() {
        return Ok(());
    }
    let curve: Vec<f64> = run.fitted.report().loss.into_iter().map(|(_, loss)| loss).collect();
    ensure(curve.len() >= 4, || format!("a loss curve of {} points", curve.len()))?;
    let quarter = curve.len() / 4;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&curve[..quarter]), mean(&curve[curve.len() - quarter..]));
    ensure(last < first, || format!("the loss goes from {first} to {last}"))
}

/// More than half as many saved values as there are trained parameters differ between a fit of one step and the full
/// fit; a checkpoint may hold more that stays, such as statistics of the data.
fn weights_move(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.trains() {
        return Ok(());
    }
    let parameters = run.fitted.report().parameters;
    ensure(parameters > 0, || "it reports no parameters".into())?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let read = |fitted: &dyn Fitted, name| {
        let path = checkpoint(dir.path(), name);
        text(fitted.save(&path))?;
        candle_core::safetensors::load(&path, &candle_core::Device::Cpu).map_err(|e| e.to_string())
    };
    let short = text(Subject::new(subject.def, subject.dataset, true))?;
    let before = read(text(short.fit())?.as_ref(), "before")?;
    let after = read(run.fitted.as_ref(), "after")?;
    let mut moved = 0;
    for (name, tensor) in after.iter().filter(|(_, t)| t.dtype().is_float()) {
        let values = |t: &candle_core::Tensor| {
            let flat = t.flatten_all().and_then(|t| t.to_dtype(candle_core::DType::F64));
            flat.and_then(|t| t.to_vec1::<f64>()).map_err(|e| e.to_string())
        };
        let old = before.get(name).ok_or_else(|| format!("`{name}` is missing after one step"))?;
        let pairs: Vec<_> = values(tensor)?.into_iter().zip(values(old)?).collect();
        moved += pairs.iter().filter(|(a, b)| a != b).count() as u64;
    }
    ensure(2 * moved > parameters, || format!("{moved} values of {parameters} parameters moved in training"))
}
