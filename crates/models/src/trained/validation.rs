//! The step to stop at, chosen on meta-train domains that are held out of training. Test domains have no say in it.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use serde_json::Value;
use zsad_core::{Arrays, MetricInput, State};
use zsad_nn::ParamStore;
use zsad_nn::carried::{Carried, named, numbers, numbers_of, take};

use super::detector::Model;
use super::tasks::TaskSource;

/// Batches that one look at a held-out domain takes.
const BATCHES: usize = 32;

zsad_core::params! {
    /// Whether and how training chooses its step.
    pub struct ValidationParams {
        /// meta-train domains, drawn by the seed, that train nothing and choose the step: kept is the state with the best mean
        /// AUROC of their normals against normals of the other meta-train domains, in batches of a task's size with a tenth
        /// of these; 0: the last state is kept; auto: 1 for images below 16 pixels, for which no number of steps is published
        pub validation_domains: Option<usize> = None, in 0..;
        /// steps between two looks at them
        pub validation_every: u64 = 25, in 1..;
        /// looks in a row without a better state that end the training; 0: it is never ended
        pub patience: u64 = 0, in 0..;
    }
}

/// The looks of a training, and the best state so far.
pub struct Validation {
    every: u64,
    patience: u64,
    last: u64,
    held_out: String,
    batches: Vec<(Tensor, Vec<bool>)>,
    best: Option<Best>,
    /// Looks since the best one.
    since: u64,
}

struct Best {
    step: u64,
    auroc: f64,
    state: State,
}

impl Validation {
    /// Looks at the held-out domains of `source` in a training of at most `steps`; none where no domain is held out.
    ///
    /// # Errors
    /// Where a data file is damaged.
    pub fn new(
        params: &ValidationParams,
        steps: u64,
        source: &TaskSource,
        device: &Device,
    ) -> zsad_nn::Result<Option<Self>> {
        let names: Vec<&str> = source.held_out().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let batches = (0..BATCHES * names.len()).map(|number| source.validation(number, device));
        let (batches, held_out) = (batches.collect::<zsad_nn::Result<_>>()?, names.join(", "));
        let (every, patience) = (params.validation_every, params.patience);
        Ok(Some(Validation { every, patience, last: steps, held_out, batches, best: None, since: 0 }))
    }

    /// Whether a look is due after `step`.
    pub fn due(&self, step: u64) -> bool {
        step.is_multiple_of(self.every) || step == self.last
    }

    /// Looks at `model`, whose parameters are `store`'s, after `step`. Whether training is to end.
    ///
    /// # Errors
    /// Where the model fails, or its scores are not finite.
    pub fn look(&mut self, step: u64, model: &impl Model, store: &ParamStore) -> zsad_nn::Result<bool> {
        let aurocs: Vec<f64> =
            self.batches.par_iter().map(|(x, labels)| auroc(model, x, labels)).collect::<Result<_, _>>()?;
        let auroc = aurocs.iter().sum::<f64>() / aurocs.len() as f64;
        if self.best.as_ref().is_none_or(|best| auroc > best.auroc) {
            self.best = Some(Best { step, auroc, state: store.state(Value::Null)? });
            self.since = 0;
        } else {
            self.since += 1;
        }
        Ok(self.patience > 0 && self.since >= self.patience)
    }

    /// Gives `store` the best state, and notes what was chosen.
    ///
    /// # Errors
    /// Where the device refuses.
    pub fn finish(self, store: &ParamStore) -> zsad_nn::Result<Option<(String, String)>> {
        let Some(Best { step, auroc, state }) = self.best else { return Ok(None) };
        store.restore(&state)?;
        let chosen = format!("step {step} of {} by AUROC {auroc:.4} on held-out {}", self.last, self.held_out);
        Ok(Some(("validation".into(), chosen)))
    }
}

impl Carried for Validation {
    fn save(&self) -> zsad_nn::Result<Arrays> {
        let Some(best) = &self.best else { return Ok(Arrays::new()) };
        let mut arrays: Arrays = named("best", best.state.arrays.clone()).collect();
        arrays.insert("chosen".into(), numbers([best.step as f64, best.auroc, self.since as f64]));
        Ok(arrays)
    }

    fn load(&mut self, mut saved: Arrays) -> zsad_nn::Result<()> {
        // Nothing is kept before the first look.
        let [step, auroc, since] = numbers_of(&saved, "chosen")[..] else { return Ok(()) };
        let state = State { network: Value::Null, arrays: take("best", &mut saved) };
        (self.best, self.since) = (Some(Best { step: step as u64, auroc, state }), since as u64);
        Ok(())
    }
}

/// How well the scores of one batch part its labels.
fn auroc(model: &impl Model, x: &Tensor, labels: &[bool]) -> zsad_nn::Result<f64> {
    let scores: Vec<f64> = zsad_nn::no_grad(|| model.scores(x))?.to_dtype(DType::F64)?.to_vec1()?;
    let value = zsad_metrics::AUROC.compute(MetricInput::Samples { scores: &scores, labels });
    value.value().ok_or_else(|| zsad_nn::Error::NonFinite(format!("scores of held-out domains: {scores:?}")))
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use zsad_core::rng::stream;
    use zsad_nn::Init;

    use super::*;

    /// Scores are the samples times a weight.
    struct Slope(Var);

    impl Model for Slope {
        const OPERATORS: zsad_core::Operators = zsad_core::Operators::of(&[zsad_core::Operator::Own]);

        fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
            Ok(x.broadcast_mul(&self.0)?.flatten_all()?)
        }
    }

    /// Looks at these weights in turn; the weight kept, the note, and the looks taken.
    fn kept(weights: &[f32], patience: u64) -> (f32, String, usize) {
        let mut store = ParamStore::new(&Device::Cpu, DType::F32);
        let model = Slope(store.builder(&mut stream(0, &[])).add("w", &[1], Init::ONES).unwrap());
        let x = Tensor::new(&[[0f32], [1.], [2.], [3.]], &Device::Cpu).unwrap();
        let batches = vec![(x.clone(), vec![false, false, true, true]), (x, vec![false, true, false, true])];
        let (best, held_out) = (None, "d3".to_owned());
        let mut validation = Validation { every: 5, patience, last: 18, held_out, batches, best, since: 0 };
        let mut looks = 0;
        let mut weights = weights.iter();
        for step in (1..=18).filter(|&step| [5, 10, 15, 18].contains(&step)) {
            assert!(validation.due(step) && !validation.due(step - 1));
            store.set("w", &Tensor::new(&[*weights.next().unwrap()], &Device::Cpu).unwrap()).unwrap();
            looks += 1;
            if validation.look(step, &model, &store).unwrap() {
                break;
            }
        }
        let note = validation.finish(&store).unwrap().unwrap().1;
        (model.0.to_vec1::<f32>().unwrap()[0], note, looks)
    }

    #[test]
    fn the_first_of_the_best_states_is_kept_and_patience_ends_the_training() {
        // By hand: 1 and 3/4 of the pairs of the two batches are in order, or for a falling slope 0 and 1/4, or all tie.
        let (weight, note, looks) = kept(&[0., 2., 1., -1.], 0);
        assert_eq!((weight, looks), (2., 4));
        assert_eq!(note, "step 10 of 18 by AUROC 0.8750 on held-out d3");
        assert_eq!(kept(&[0., -1., -2., 3.], 2), (0., "step 5 of 18 by AUROC 0.5000 on held-out d3".into(), 3));
    }
}
