//! For the parity tests of the trained methods: weights and inputs that PyTorch can be given, too.
//!
//! The constants in those tests come from PyTorch 2.15 in double precision, after
//!
//! ```python
//! import math, torch, torch.nn.functional as F
//! from torch import nn
//! torch.set_default_dtype(torch.float64)
//! def wave(*shape): return torch.sin(0.7 * torch.arange(math.prod(shape)) + 0.3).view(shape)
//! def fill(params):
//!     for k, p in enumerate(params):
//!         p.data = 0.5 * torch.sin(1 + 10 * k + torch.arange(p.numel(), dtype=torch.float64)).view(p.shape)
//! def mlp(d, hidden, out, final=True, bias=True, affine=True, norm=True):
//!     layers = []
//!     for h in hidden:
//!         layers += [nn.Linear(d, h, bias=bias)] + ([nn.BatchNorm1d(h, affine=affine)] if norm else []) + [nn.ReLU()]
//!         d = h
//!     return nn.Sequential(*layers, nn.Linear(d, out, bias=bias), *([nn.BatchNorm1d(out)] if final else []))
//! ```

use candle_core::{DType, Device, Tensor, backprop::GradStore};
use zsad_core::{ParamSet, rng::stream};
use zsad_nn::{ParamStore, loss, params::Builder, train::Tasks};

use super::network::Phase;
use super::spec::{HeadKind, NetworkSpec, Norm};
use crate::families::episodic::Objective;

/// The snippet's `wave`.
pub(crate) fn wave(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| (0.7 * i as f64 + 0.3).sin() as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// The snippet's `fill`, over the trained parameters.
pub(crate) fn fill(store: &ParamStore) {
    for (k, p) in store.trainable().enumerate() {
        let n = p.var.elem_count();
        let values: Vec<f32> = (0..n).map(|i| (0.5 * (1.0 + 10.0 * k as f64 + i as f64).sin()) as f32).collect();
        p.var.set(&Tensor::from_vec(values, p.var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
}

/// A perceptron on rows of `d`.
pub(crate) fn perceptron(d: usize, hidden: &[usize], latent: usize, norm: Norm, style: HeadKind) -> NetworkSpec {
    NetworkSpec { norm, style, ..NetworkSpec::perceptron(vec![d], hidden.to_vec(), latent) }
}

/// What `build` makes, with filled weights.
pub(crate) fn built<M>(build: impl FnOnce(&mut Builder) -> zsad_nn::Result<M>) -> (ParamStore, M) {
    let mut store = ParamStore::new(&Device::Cpu, DType::F32);
    let model = build(&mut store.builder(&mut stream(0, &[]))).unwrap();
    fill(&store);
    (store, model)
}

/// The defaults, changed to `given`.
pub(crate) fn params<P: ParamSet>(given: serde_json::Value) -> P {
    P::parse(&serde_json::from_value(given).unwrap()).unwrap()
}

/// Loss and gradients of two tasks, `wave(2, 5, 3)`, of three normals and two outliers each.
pub(crate) fn meta_loss(objective: &impl Objective) -> (Tensor, GradStore) {
    let labels = [false, false, false, true, true].repeat(2);
    let tasks = Tasks::new(wave(&[10, 3]), labels, 2).unwrap();
    let (normal, outlier) = objective.losses(tasks.x(), Phase::Tasks(2)).unwrap();
    let mean = loss::per_task(&normal, &outlier, &tasks).unwrap().mean_all().unwrap();
    let gradients = mean.backward().unwrap();
    (mean, gradients)
}

/// The gradient of the parameter called `name`.
pub(crate) fn gradient(store: &ParamStore, gradients: &GradStore, name: &str) -> Tensor {
    gradients.get(&store.get(name).unwrap().var).unwrap().clone()
}

/// Fails unless `got` holds the values `want`, to single precision through a norm over few samples.
pub(crate) fn assert_close(got: &Tensor, want: &[f64]) {
    let got: Vec<f64> = got.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let near = |(g, w): (&f64, &f64)| (g - w).abs() <= 2e-4 * (0.1 + w.abs());
    assert!(got.len() == want.len() && got.iter().zip(want).all(near), "{got:?} is not {want:?}");
}
