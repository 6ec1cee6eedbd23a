//! Adam (Kingma and Ba, 2015) as `torch.optim.Adam` computes it.

use candle_core::{DType, Tensor, Var};
use zsad_core::{Array, Arrays, Error, Implementation, Operator, Values};

use super::{Gradients, Optimizer};
use crate::carried::{Carried, named, number_of, numbers, take};
use crate::kernels::adam::{self, Update};
use crate::params::ParamStore;
use crate::weights::{from_candle, to_candle};
use crate::{Result, ops};

/// Options of [`Adam`]; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty, added to the gradient; what a weight shrinks by besides, where it is `decoupled`.
    pub weight_decay: f64,
    /// Whether weights shrink by `lr · weight_decay` of themselves before the update, and gradients stay as they are
    /// (`torch.optim.AdamW`).
    pub decoupled: bool,
    /// Whether the second moment's maximum is used instead of it.
    pub amsgrad: bool,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decoupled: false, amsgrad: false }
    }
}

enum Moments {
    F32(adam::Moments<f32>),
    F64(adam::Moments<f64>),
    Composed { m: Tensor, v: Tensor, v_max: Option<Tensor> },
}

impl Moments {
    fn new(var: &Var, amsgrad: bool, by: Implementation) -> Result<Self> {
        let zeros = || var.zeros_like().map(|t| t.detach());
        Ok(match (by, var.dtype()) {
            (Implementation::Fused, DType::F32) => Moments::F32(adam::Moments::new(var.elem_count(), amsgrad)),
            (Implementation::Fused, DType::F64) => Moments::F64(adam::Moments::new(var.elem_count(), amsgrad)),
            _ => Moments::Composed { m: zeros()?, v: zeros()?, v_max: amsgrad.then(zeros).transpose()? },
        })
    }

    /// Copies by name.
    fn arrays(&self) -> Result<Arrays> {
        let kept = |name: &str, values: Values| (name.to_owned(), flat(values));
        Ok(match self {
            Moments::F32(of) => of.parts().map(|(name, values)| kept(name, Values::F32(values.to_vec()))).collect(),
            Moments::F64(of) => of.parts().map(|(name, values)| kept(name, Values::F64(values.to_vec()))).collect(),
            Moments::Composed { m, v, v_max } => {
                let parts = [("m", Some(m)), ("v", Some(v)), ("v_max", v_max.as_ref())];
                let present = parts.into_iter().filter_map(|(name, tensor)| Some((name, tensor?)));
                present.map(|(name, tensor)| Ok((name.to_owned(), from_candle(tensor)?))).collect::<Result<_>>()?
            }
        })
    }

    /// Takes the place of what [`Moments::arrays`] copied.
    fn take(&mut self, var: &Var, saved: &Arrays) -> Result<()> {
        let wanted = |name: &str| {
            let fits = |array: &&Array| array.values().len() == var.elem_count();
            saved
                .get(name)
                .filter(fits)
                .ok_or_else(|| Error::failed(format!("an interrupted training has no moment `{name}`")))
        };
        match self {
            Moments::F32(kept) => kept.parts_mut().try_for_each(|(name, to)| match wanted(name)?.values() {
                Values::F32(values) => {
                    to.copy_from_slice(values);
                    Ok(())
                }
                Values::F64(_) => Err(Error::failed(format!("moment `{name}` is in double precision"))),
            })?,
            Moments::F64(kept) => kept.parts_mut().try_for_each(|(name, to)| match wanted(name)?.values() {
                Values::F64(values) => {
                    to.copy_from_slice(values);
                    Ok(())
                }
                Values::F32(_) => Err(Error::failed(format!("moment `{name}` is in single precision"))),
            })?,
            Moments::Composed { m, v, v_max } => {
                let parts = [("m", Some(m)), ("v", Some(v)), ("v_max", v_max.as_mut())];
                for (name, to) in parts.into_iter().filter_map(|(name, to)| Some((name, to?))) {
                    *to = to_candle(wanted(name)?, var.device())?.to_dtype(var.dtype())?;
                }
            }
        }
        Ok(())
    }
}

fn flat(values: Values) -> Array {
    Array::new(vec![values.len()], values)
}

/// Adam over the trained parameters of a store.
pub struct Adam {
    config: AdamConfig,
    states: Vec<(Var, Moments)>,
    steps: i32,
}

impl Adam {
    /// Starts with moments of zero.
    ///
    /// # Errors
    /// Where the device refuses the memory.
    pub fn new(params: &ParamStore, config: AdamConfig) -> Result<Self> {
        let by = params.implementation(Operator::Adam);
        let state = |var: &Var| Ok((var.clone(), Moments::new(var, config.amsgrad, by)?));
        let states = params.trainable().map(|p| state(&p.var)).collect::<Result<_>>()?;
        Ok(Adam { config, states, steps: 0 })
    }
}

impl Carried for Adam {
    fn save(&self) -> Result<Arrays> {
        let mut arrays = Arrays::from([("steps".to_owned(), numbers([self.steps.into()]))]);
        for (number, (_, moments)) in self.states.iter().enumerate() {
            arrays.extend(named(number, moments.arrays()?));
        }
        Ok(arrays)
    }

    fn load(&mut self, mut saved: Arrays) -> Result<()> {
        self.steps = number_of(&saved, "steps")? as i32;
        for (number, (var, moments)) in self.states.iter_mut().enumerate() {
            moments.take(var, &take(number, &mut saved))?;
        }
        Ok(())
    }
}

impl Optimizer for Adam {
    fn step(&mut self, gradients: &Gradients, lr: f64) -> Result<()> {
        self.steps += 1;
        let c = self.config;
        let update = Update {
            beta1: c.beta1,
            beta2: c.beta2,
            step_size: lr / (1.0 - c.beta1.powi(self.steps)),
            correction: (1.0 - c.beta2.powi(self.steps)).sqrt(),
            eps: c.eps,
            weight_decay: if c.decoupled { 0.0 } else { c.weight_decay },
        };
        for ((var, moments), grad) in self.states.iter_mut().zip(gradients) {
            let Some(grad) = grad else { continue };
            if c.decoupled && c.weight_decay > 0.0 {
                var.set(&(var.as_tensor().detach() * (1.0 - lr * c.weight_decay))?)?;
            }
            match moments {
                Moments::F32(m) => ops::update(var, grad, |theta: &mut [f32], g| m.update(theta, g, &update))?,
                Moments::F64(m) => ops::update(var, grad, |theta: &mut [f64], g| m.update(theta, g, &update))?,
                Moments::Composed { m, v, v_max } => composed(var, grad, &update, (m, v, v_max))?,
            }
        }
        Ok(())
    }
}

/// The same from candle's own operations.
fn composed(
    var: &Var,
    grad: &Tensor,
    u: &Update,
    (m, v, v_max): (&mut Tensor, &mut Tensor, &mut Option<Tensor>),
) -> Result<()> {
    let theta = var.as_tensor().detach();
    let grad = if u.weight_decay == 0.0 { grad.clone() } else { (grad + (&theta * u.weight_decay)?)? };
    *m = ((&*m * u.beta1)? + (&grad * (1.0 - u.beta1))?)?;
    *v = ((&*v * u.beta2)? + (grad.sqr()? * (1.0 - u.beta2))?)?;
    let second = match v_max {
        Some(max) => {
            *max = max.maximum(&*v)?;
            &*max
        }
        None => &*v,
    };
    let denom = ((second.sqrt()? / u.correction)? + u.eps)?;
    Ok(var.set(&(theta - (m.div(&denom)? * u.step_size)?)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    // import torch
    // for wd, ams in [(0.0, False), (0.1, True)]:
    //     p = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    //     o = torch.optim.Adam([p], lr=0.1, weight_decay=wd, amsgrad=ams)
    //     for i in range(4):
    //         p.grad = torch.tensor([0.3, -0.1, 2.0], dtype=torch.float64) * (2.0 - i)
    //         o.step()
    //     print(p.tolist())
    const TORCH: [(f64, bool, [f64; 3]); 2] = [
        (0.0, false, [0.7046065380001514, -1.7046065506271109, 0.20460653263369333]),
        (0.1, true, [0.679293527451149, -1.6257670462979903, 0.20290106580675535]),
    ];

    // The same with torch.optim.AdamW([p], lr=0.1, weight_decay=0.1).
    const ADAMW: [f64; 3] = [0.6707482629367065, -1.6313442853492104, 0.1904502526613923];

    #[test]
    fn equals_torch_and_the_composed_form() {
        let coupled = TORCH.map(|(decay, amsgrad, want)| (decay, false, amsgrad, want));
        for (weight_decay, decoupled, amsgrad, want) in coupled.into_iter().chain([(0.1, true, false, ADAMW)]) {
            let var = Var::new(&[1.0f64, -2.0, 0.5], &Device::Cpu).unwrap();
            let other = Var::from_tensor(&var.as_tensor().copy().unwrap()).unwrap();
            let config = AdamConfig { weight_decay, decoupled, amsgrad, ..AdamConfig::default() };
            let zeros = other.zeros_like().unwrap().detach();
            let composed = Moments::Composed { m: zeros.clone(), v: zeros.clone(), v_max: amsgrad.then_some(zeros) };
            let states = vec![
                (var.clone(), Moments::new(&var, amsgrad, Implementation::Fused).unwrap()),
                (other.clone(), composed),
            ];
            let mut adam = Adam { config, states, steps: 0 };
            for i in 0..4 {
                let g = (Tensor::new(&[0.3f64, -0.1, 2.0], &Device::Cpu).unwrap() * (2.0 - f64::from(i))).unwrap();
                adam.step(&vec![Some(g.clone()), Some(g)], 0.1).unwrap();
            }
            for var in [var, other] {
                let got = var.to_vec1::<f64>().unwrap();
                assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?} {want:?}");
            }
        }
    }
}
