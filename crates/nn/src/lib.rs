//! The candle layer of zsad: fast kernels, batch-statistics norm, initialisers, optimiser, the training loop.
//!
//! # How a method trains
//!
//! ```
//! use candle_core::DType;
//! use zsad_nn::{Init, ParamStore, Pass, loss, nets, optim, train};
//!
//! # fn main() -> zsad_core::Result<()> {
//! # (|| -> zsad_nn::Result<()> {
//! let device = zsad_nn::device::open(zsad_core::Device::Cpu)?;
//! let mut rng = zsad_core::rng::stream(0, &[("purpose", "init")]);
//! let mut params = ParamStore::new(&device, DType::F32);
//! let mut b = params.builder(&mut rng);
//! let net = nets::Mlp::new(&mut b.scope("net"), &nets::MlpConfig::acr(10, &[16], 4))?;
//! let centre = b.add("center", &[4], Init::Normal(0.0, 1.0))?;
//!
//! let trainer = train::Trainer::new(&params);
//! let mut updater = train::Updater::new(&params, optim::AdamConfig::default(), None)?;
//! let lr = optim::StepLr { base: 1e-3, every: 1500, gamma: 0.7 };
//! let curve = train::run(3, &params, &zsad_core::Silent, &mut updater, |updater, step| {
//!     // The sampler's tasks: values row-major and labels (true: outlier). Here two tasks of six samples.
//!     let x: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin()).collect();
//!     let y = [false, false, false, false, true, true];
//!     let tasks = train::Tasks::stack(&[10], &[(&x, &y), (&x, &y)], &device)?;
//!     let (mean, gradients) = trainer.gradients(&tasks, |t| {
//!         let z = net.forward(t.x(), Pass::train(t.tasks()))?;
//!         let (normal, outlier) = loss::dsvdd(&z, &centre)?;
//!         loss::per_task(&normal, &outlier, t)
//!     })?;
//!     Ok(updater.update(mean, gradients, lr.at(step - 1))?.into())
//! })?;
//! assert_eq!(curve.len(), 3);
//!
//! // Scoring: one test batch [n, 10] with its own batch statistics.
//! let batch = candle_core::Tensor::new(&[[0.5f32; 10], [0.1; 10]], &device)?;
//! let scores = zsad_nn::no_grad(|| loss::squared_distance(&net.forward(&batch, Pass::eval(1))?, &centre))?;
//! let scores = scores.to_vec1::<f32>()?;
//! assert_eq!(scores.len(), 2);
//! # Ok(()) })()?;
//! # Ok(()) }
//! ```
//!
//! Functions return [`Result`], whose error takes candle's and zsad's errors through `?` and turns into zsad's.
//! Everything is computed on the device that was opened; a method never asks which one it is.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

pub mod carried;
pub mod device;
mod error;
pub mod flow;
mod init;
mod kernels;
pub mod layers;
pub mod loss;
pub mod nets;
pub mod official;
mod ops;
pub mod optim;
pub mod params;
pub mod train;
pub mod weights;

pub use error::{Error, Result};
pub use init::Init;
pub use layers::Pass;
pub use ops::scope::no_grad;
pub use params::ParamStore;
