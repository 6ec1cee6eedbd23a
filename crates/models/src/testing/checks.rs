//! The checks. Each looks at one promise of a method and says what it saw.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::RngExt;
use serde_json::Value;
use zsad_core::rng::stream;
use zsad_core::{
    Choice, Dataset, Detector, Device, Error, MethodDef, MetricInput, Operator, Operators, Result, SampleRef, State,
    Subset, Values,
};

use super::masked::Masked;
use super::subject::Subject;
use super::{MARGIN, PERMUTATION_TOLERANCE};
use crate::trained::method::OPERATORS_NOTE;

/// A promise that a method broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// What was seen.
    pub message: String,
}

/// What single methods are not held to. Of synthetic samples no name says anything, so one that is told what objects are called may depend
/// on it; and no text describes what they show to a small network that never saw texts, so that what is learned of one object holds of no
/// other.
const EXCUSED: &[(&str, &[&str])] = &[
    ("af_clip", &["beats_chance"]),
    ("anomaly_clip", &["beats_chance"]),
    ("winclip", &["labels_unseen", "beats_chance"]),
];

type Check = fn(&Subject, &Run) -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[
    ("finite_scores", finite_scores),
    ("distinct_scores", distinct_scores),
    ("permutation", permutation),
    ("labels_unseen", labels_unseen),
    ("scoring_repeats", scoring_repeats),
    ("same_bits", same_bits),
    ("cache", cache),
    ("settled", settled),
    ("small_batches", small_batches),
    ("identical_samples", identical_samples),
    ("beats_chance", beats_chance),
    ("save_and_load", save_and_load),
    ("goes_on", goes_on),
    ("loss_falls", loss_falls),
    ("weights_move", weights_move),
    ("operators", operators),
];

/// One fit on one thread and its scores of the first batch.
struct Run {
    detector: Box<dyn Detector>,
    batch: Vec<SampleRef>,
    scores: Vec<f64>,
}

/// All that is wrong with `def` on `dataset` (one of [`super::data`]'s); empty if it keeps every promise, and where it
/// does not take such samples: the frame never shows it any.
pub fn violations(def: &dyn MethodDef, dataset: &dyn Dataset) -> Vec<Violation> {
    violations_on(Device::Cpu, def, dataset)
}

/// The same on `device`.
pub fn violations_on(device: Device, def: &dyn MethodDef, dataset: &dyn Dataset) -> Vec<Violation> {
    if def.spec().accepts.check(&dataset.info().modality).is_err() {
        return Vec::new();
    }
    let masked = Masked(dataset);
    let takes_masks = def.configure(&Default::default()).is_ok_and(|method| method.takes_abnormal_shots());
    let dataset = if takes_masks { &masked } else { dataset };
    let fit = guarded(|| {
        let subject = Subject::new(def, dataset, device, false)?;
        let (detector, scores) = subject.run_on(1)?;
        Ok((Run { detector, batch: subject.batch(0, 0), scores }, subject))
    });
    let violation = |check, message| vec![Violation { check, message }];
    let (run, subject) = match fit {
        Err(panic) => return violation("no_panic", panic),
        Ok(Err::<_, Error>(e)) => return violation("runs", e.to_string()),
        Ok(Ok(pair)) => pair,
    };
    let outcome = |(check, f): &(&'static str, Check)| {
        let message = guarded(|| f(&subject, &run)).unwrap_or_else(|panic| Err(format!("panicked: {panic}"))).err()?;
        Some(Violation { check, message })
    };
    let of_this = EXCUSED.iter().filter(|(method, _)| *method == def.spec().name);
    let excused: Vec<&str> = of_this.flat_map(|(_, checks)| *checks).copied().collect();
    CHECKS.iter().filter(|(name, _)| !excused.contains(name)).filter_map(outcome).collect()
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
    let scores = text(subject.score(run.detector.as_ref(), &permuted))?;
    all_finite(&scores, n)?;
    let largest = run.scores.iter().fold(0.0f64, |m, s| m.max(s.abs()));
    let off = order.iter().zip(&scores).map(|(&i, s)| (run.scores[i] - s).abs()).fold(0.0, f64::max);
    ensure(off <= PERMUTATION_TOLERANCE * largest, || format!("scores up to {largest} change by up to {off}"))
}

/// The same samples under names that do not tell their subset must get the same scores.
fn labels_unseen(subject: &Subject, run: &Run) -> Result<(), String> {
    let scores = text(subject.score_unnamed(run.detector.as_ref(), &run.batch))?;
    ensure(scores == run.scores, || "scores depend on what a sample is called, not on its values alone".into())
}

fn scoring_repeats(subject: &Subject, run: &Run) -> Result<(), String> {
    let other = subject.batch(1, 0);
    let elsewhere = text(subject.score(run.detector.as_ref(), &other))?;
    ensure(elsewhere != run.scores, || "two batches of two domains get the same scores".into())?;
    let again = text(subject.score(run.detector.as_ref(), &run.batch))?;
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

/// A method on a frozen network gives the same scores where features are kept on disk.
fn cache(subject: &Subject, run: &Run) -> Result<(), String> {
    if text(subject.method.artifacts(&subject.env))?.is_empty() {
        return Ok(());
    }
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let cached = text(subject.run_cached(dir.path().to_owned()))?;
    ensure(cached.iter().all(|scores| *scores == run.scores), || "a cache of features changes the scores".into())
}

/// A settled method leaves nothing open, settles to itself, and does what it does unsettled.
fn settled(subject: &Subject, run: &Run) -> Result<(), String> {
    let values = subject.method.values();
    let open = values.as_object().into_iter().flatten().find(|(_, value)| **value == Value::Null);
    ensure(open.is_none(), || format!("it leaves open {open:?}"))?;
    let again = text(subject.resolve(subject.method.as_ref()))?.values();
    ensure(again == values, || format!("settled twice, it is {again} instead of {values}"))?;
    if subject.configured.values() == values {
        return Ok(());
    }
    let detector = text(subject.fit_in(subject.configured.as_ref(), &subject.env))?;
    let scores = text(subject.score(detector.as_ref(), &run.batch))?;
    ensure(scores == run.scores, || format!("settled as {values}, it gives other scores than unsettled"))
}

fn small_batches(subject: &Subject, run: &Run) -> Result<(), String> {
    for n in [1, 2] {
        match subject.score(run.detector.as_ref(), &run.batch[..n]) {
            Ok(scores) => all_finite(&scores, n).map_err(|e| format!("batch of {n}: {e}"))?,
            Err(Error::Refused(_)) => {}
            Err(e) => return Err(format!("batch of {n}: {e} (a refusal must be `Refused`)")),
        }
    }
    Ok(())
}

fn identical_samples(subject: &Subject, run: &Run) -> Result<(), String> {
    match subject.score(run.detector.as_ref(), &[run.batch[0]; 12]) {
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
            let scores = text(subject.score(run.detector.as_ref(), &batch))?;
            let labels: Vec<bool> = batch.iter().map(|r| r.subset == Subset::Anomalous).collect();
            values.extend(metric.compute(MetricInput::Samples { scores: &scores, labels: &labels }).value());
        }
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    ensure(mean >= 0.5 + MARGIN, || format!("mean AUROC on easy data is {mean:.3}, wanted {}", 0.5 + MARGIN))
}

fn save_and_load(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.learns() {
        return Ok(());
    }
    let state = text(run.detector.state())?.ok_or("it learns and leaves no state")?;
    let restore = |state: &State| subject.method.restore(state, &subject.env);
    let scores = text(subject.score(text(restore(&state))?.as_ref(), &run.batch))?;
    ensure(scores == run.scores, || "a reloaded detector gives other scores".into())?;
    let empty = State { arrays: Default::default(), ..state };
    let outcome = restore(&empty).err();
    let well = matches!(outcome, Some(Error::Failed(_)));
    ensure(well, || format!("a state without its values must be a failure, not {outcome:?}"))?;
    Ok(())
}

/// A training that is interrupted after ten random steps, and taken up again each time, ends with the bits and the loss
/// curve of one that was not.
fn goes_on(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.learns() {
        return Ok(());
    }
    let report = run.detector.report();
    let last = report.loss.last().map_or(0, |&(step, _)| step);
    let mut rng = stream(7, &[("purpose", "interruptions"), ("network", &format!("{:?}", report.notes))]);
    let mut at: Vec<u64> = (0..10).map(|_| rng.random_range(1..last.max(2))).collect();
    at.sort_unstable();
    at.dedup();
    let cache = tempfile::tempdir().map_err(|e| e.to_string())?;
    let detector = text(subject.fit_interrupted(&at, cache.path().into()))?;
    let again = detector.report();
    ensure(again.loss == report.loss, || "an interrupted training has another loss curve".into())?;
    ensure(again.notes == report.notes, || format!("and other notes: {:?}", again.notes))?;
    let same = text(detector.state())? == text(run.detector.state())?;
    ensure(same, || "an interrupted training ends with other bits".into())
}

/// The mean loss of the last quarter of the curve lies below that of the first.
fn loss_falls(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.learns() {
        return Ok(());
    }
    let curve: Vec<f64> = run.detector.report().loss.into_iter().map(|(_, loss)| loss).collect();
    ensure(curve.len() >= 4, || format!("a loss curve of {} points", curve.len()))?;
    let quarter = curve.len() / 4;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&curve[..quarter]), mean(&curve[curve.len() - quarter..]));
    ensure(last < first, || format!("the loss goes from {first} to {last}"))
}

/// More than half as many saved values as there are trained parameters differ between a fit of one step and the full
/// fit; a state may hold more that stays, such as statistics of the data.
fn weights_move(subject: &Subject, run: &Run) -> Result<(), String> {
    if !subject.method.learns() {
        return Ok(());
    }
    let parameters = run.detector.report().parameters;
    ensure(parameters > 0, || "it reports no parameters".into())?;
    let read = |detector: &dyn Detector| text(detector.state())?.ok_or("it leaves no state".to_owned());
    let before = read(text(subject.short().and_then(|short| short.fit()))?.as_ref())?;
    let mut moved = 0;
    for (name, array) in read(run.detector.as_ref())?.arrays {
        let old = before.arrays.get(&name).ok_or_else(|| format!("`{name}` is missing after one step"))?;
        moved += differing(array.values(), old.values());
    }
    ensure(2 * moved > parameters, || format!("{moved} values of {parameters} parameters moved in training"))
}

/// Every operator of the layers that were built is one that the method declares, and was computed as the device says.
fn operators(subject: &Subject, run: &Run) -> Result<(), String> {
    let declared = subject.def.placement().operators;
    let notes = run.detector.report().notes;
    let Some((_, note)) = notes.iter().find(|(name, _)| name == OPERATORS_NOTE) else {
        return ensure(declared == Operators::NONE, || "it declares operators, and its record names none".into());
    };
    for built in note.split(", ") {
        let (word, by) = built.split_once(' ').unwrap_or((built, ""));
        let operator = Operator::from_word(word).filter(|o| declared.contains(*o));
        let operator = operator.ok_or_else(|| format!("it uses {word}, and does not declare it"))?;
        let device = subject.env.device;
        ensure(by == operator.on(device).word(), || format!("{built} is not how {device} computes it"))?;
    }
    Ok(())
}

fn differing(a: &Values, b: &Values) -> u64 {
    fn count<T: PartialEq>(a: &[T], b: &[T]) -> u64 {
        a.iter().zip(b).filter(|(a, b)| a != b).count() as u64
    }
    match (a, b) {
        (Values::F32(a), Values::F32(b)) => count(a, b),
        (Values::F64(a), Values::F64(b)) => count(a, b),
        _ => 0,
    }
}
