//! The loop and the update alone.

use std::sync::Mutex;

use candle_core::{DType, Device};
use zsad_core::Silent;
use zsad_core::rng::stream;

use super::*;
use crate::Init;

struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn tick(&self, done: u64, total: u64, message: &str) -> zsad_core::Result<()> {
        self.0.lock().unwrap().push(format!("{done}/{total} {message}"));
        Ok(())
    }
}

/// A training of nothing with these losses.
fn ran(total: u64, progress: &dyn Progress, loss: impl Fn(u64) -> Step) -> Result<Vec<(u64, f64)>> {
    let nothing = ParamStore::new(&Device::Cpu, DType::F32);
    run(total, &nothing, progress, &mut None::<Updater>, |_, step| Ok(loss(step)))
}

#[test]
fn a_curve_keeps_means_of_equally_many_steps() {
    let short = ran(4, &Silent, |step| (step as f64).into()).unwrap();
    assert_eq!(short, [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]);
    let long = ran(1001, &Silent, |step| (step as f64).into()).unwrap();
    assert_eq!((long.len(), long[0], long[1]), (250, (4, 2.5), (8, 6.5)), "the last step fills no point");
}

#[test]
fn a_step_may_stop_the_training_and_every_step_is_told() {
    let heard = Heard(Mutex::new(Vec::new()));
    let points = ran(9, &heard, |step| Step { loss: 0.5, stop: step == 2 }).unwrap();
    assert_eq!(points.len(), 2);
    assert_eq!(*heard.0.lock().unwrap(), ["1/9 loss 0.5000", "2/9 loss 0.5000"]);
}

#[test]
fn a_loss_that_is_not_finite_names_its_step() {
    let e = ran(3, &Silent, |step| (1.0 / (2.0 - step as f64)).into()).unwrap_err();
    assert_eq!(e.to_string(), "step 2: the loss is inf: try a lower learning rate");
    assert!(matches!(e, Error::NonFinite(_)));
}

#[test]
fn an_update_that_is_not_finite_changes_nothing() {
    let mut store = ParamStore::new(&Device::Cpu, DType::F32);
    let p = store.builder(&mut stream(0, &[])).add("p", &[2], Init::ONES).unwrap();
    let mut updater = Updater::new(&store, AdamConfig::default(), Some(1.0)).unwrap();
    let gradient = |v: f32| vec![Some(candle_core::Tensor::new(&[v, 0.0], &Device::Cpu).unwrap())];
    assert!(matches!(updater.update(f64::NAN, gradient(1.0), 0.1), Err(Error::NonFinite(_))));
    assert!(matches!(updater.update(1.0, gradient(f32::INFINITY), 0.1), Err(Error::NonFinite(_))));
    assert_eq!(p.to_vec1::<f32>().unwrap(), [1.0, 1.0]);
    assert_eq!(updater.update(1.5, gradient(1.0), 0.1).unwrap(), 1.5);
    assert!(p.to_vec1::<f32>().unwrap()[0] < 1.0);
}

#[test]
fn gradients_are_those_of_the_loss_and_add_up() {
    let mut store = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = stream(0, &[]);
    let p = store.builder(&mut rng).add("p", &[2], Init::ONES).unwrap();
    store.builder(&mut rng).add("unused", &[1], Init::ONES).unwrap();
    let (loss, gradients) = store.gradients_of(&(p.sqr().unwrap().sum_all().unwrap() * 3.0).unwrap()).unwrap();
    assert_eq!(loss, 6.0);
    let mut sum = Gradients::new();
    crate::optim::add_gradients(&mut sum, gradients.clone()).unwrap();
    let (_, more) = store.gradients_of(&p.sum_all().unwrap()).unwrap();
    crate::optim::add_gradients(&mut sum, more).unwrap();
    assert_eq!(sum[0].as_ref().unwrap().to_vec1::<f32>().unwrap(), [7.0, 7.0]);
    assert!(sum[1].is_none());
}
