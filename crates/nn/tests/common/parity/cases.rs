//! The cases: everything that this crate computes.

use candle_core::{D, Tensor};
use zsad_core::Device;
use zsad_core::rng::stream;

use super::{Case, Forward, Values, normal, values};
use zsad_nn::flow::{Condition, ConditionalFlow, FlowConfig};
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode, max_pool2, mean_over_space};
use zsad_nn::nets::{ConvNet, ConvNetConfig, Mlp, MlpConfig, Ntl, NtlConfig, NtlViews};
use zsad_nn::optim::{Adam, AdamConfig, Optimizer, Sgd, SgdConfig};
use zsad_nn::train::{Tasks, Trainer};
use zsad_nn::{Init, ParamStore, Pass, Result, loss};

const MODES: [NormMode; 6] =
    [NormMode::BatchStats, NormMode::Running, NormMode::Layer, NormMode::Instance, NormMode::Group, NormMode::None];

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [layers(), norms(), networks(), losses(), training()].into_iter().flatten().collect()
}

fn layers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (n, input, output) in [(1, 1, 1), (7, 13, 5), (96, 570, 128)] {
        cases.push(Case::module(format!("linear {n}x{input} -> {output}"), &[n, input], move |b| {
            let layer = Linear::new(b, input, output, LinearInit::torch(input))?;
            Ok(boxed(move |x| layer.forward(x)))
        }));
    }
    cases.push(Case::module("linear without bias, on a transposed input", &[13, 9], |b| {
        let layer = Linear::new(b, 13, 5, LinearInit { weight: Init::TorchWeight, bias: None })?;
        Ok(boxed(move |x| layer.forward(&x.t()?)))
    }));
    for (shape, output, stride) in [
        ([2, 9, 5, 4], 4, 1),
        ([3, 2, 7, 6], 5, 2),
        ([2, 3, 6, 7], 2, 2),
        ([4, 64, 14, 14], 64, 2),
        ([4, 32, 16, 16], 48, 1),
    ] {
        cases.push(Case::module(format!("conv2d {shape:?} -> {output}, stride {stride}"), &shape, move |b| {
            let (weight, bias) = (Init::XavierUniform, Some(Init::Normal(0.0, 1.0)));
            let layer = Conv2d::new(b, shape[1], output, stride, weight, bias)?;
            Ok(boxed(move |x| layer.forward(x)))
        }));
    }
    for side in [6, 7] {
        let shape = [3, 4, side, side + 2];
        cases.push(Case::module(format!("max-pool {shape:?}"), &shape, |_| Ok(boxed(max_pool2))));
    }
    cases.push(Case::module("mean over space", &[3, 4, 5, 6], |_| Ok(boxed(mean_over_space))));
    cases
}

fn norms() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in MODES {
        for pass in [Pass::train(1), Pass::train(3), Pass::eval(3)] {
            // Running statistics are those of one batch at a time, and a channel of a vector is one value.
            let (several, vectors) = (mode == NormMode::Running && pass == Pass::train(3), mode != NormMode::Instance);
            for shape in
                [&[18usize, 33][..], &[18, 32, 5, 6]].into_iter().filter(|s| !several && (vectors || s.len() > 2))
            {
                let name = format!("norm {mode:?} of {shape:?}, {pass:?}");
                let channels = shape[1];
                cases.push(Case::module(name, shape, move |b| {
                    let norm =
                        Norm::new(b, channels, NormConfig { affine: true, ..NormConfig::new(mode).random_gain() })?;
                    Ok(boxed(move |x| norm.forward(x, pass, true)))
                }));
            }
        }
    }
    cases
}

fn networks() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.push(Case::module("perceptron of ACR on rows", &[96, 570], |b| {
        let net = Mlp::new(b, &MlpConfig::acr(570, &[128; 3], 32))?;
        Ok(boxed(move |x| net.forward(x, Pass::train(4))))
    }));
    cases.push(Case::module("plain perceptron", &[9, 20], |b| {
        let net = Mlp::new(b, &MlpConfig::plain(20, &[30, 10], 5, true))?;
        Ok(boxed(move |x| net.forward(x, Pass::train(1))))
    }));
    for mode in [NormMode::BatchStats, NormMode::Running] {
        for (name, config) in [
            ("network of Omniglot", ConvNetConfig::omniglot([1, 28, 28])),
            ("network of CIFAR-100-C", ConvNetConfig::cnn4([3, 16, 16])),
        ] {
            let [c, h, w] = config.input;
            // Gradients jump where ReLU and max-pool do: in a small network no value lies within rounding of a jump.
            cases.push(Case::module(format!("{name}, norm {mode:?}"), &[8, c, h, w], move |b| {
                let (filters, norm) = (vec![16; 4], NormConfig { mode, ..config.norm });
                let net = ConvNet::new(b, &ConvNetConfig { filters, norm, final_norm: Some(norm), ..config.clone() })?;
                let pass = Pass::train(if mode == NormMode::Running { 1 } else { 2 });
                Ok(boxed(move |x| net.forward(x, pass)))
            }));
        }
    }
    cases.push(Case::module("learned views", &[12, 20], |b| {
        let views = NtlViews::new(b, 3, 20, &[16, 16])?;
        Ok(boxed(move |x| views.forward(x)))
    }));
    cases.push(Case::module("learned views and encoder", &[64, 40], |b| {
        let net = Ntl::new(b, &NtlConfig { views: 5, view_hidden: vec![16], ..NtlConfig::acr(40) })?;
        Ok(boxed(move |x| net.forward(x, Pass::train(2))))
    }));
    cases.push(Case::module("conditional flow", &[48, 12], |b| {
        let config = FlowConfig { channels: 12, condition: 8, hidden: None, couplings: 3, clamp: 1.9 };
        let flow = ConditionalFlow::new(b, &config)?;
        let table = b.buffer("table", &[6, 8], Init::Normal(0.0, 1.0))?;
        Ok(boxed(move |x| {
            let rows = Tensor::from_iter((0..48u32).map(|i| i % 6), x.device())?;
            flow.log_likelihood(x, Condition { table: &table, rows: &rows })
        }))
    }));
    cases
}

fn losses() -> Vec<Case> {
    let distance = Case::module("squared distance and its inverse", &[50, 32], |b| {
        let centre = b.add("center", &[32], Init::Normal(0.0, 1.0))?;
        let distance = loss::Distance::new(b);
        Ok(boxed(move |z| {
            let (d, inverse) = distance.dsvdd(z, &centre)?;
            Ok(Tensor::cat(&[d, inverse], 0)?)
        }))
    });
    let contrastive = Case::module("contrastive loss", &[20, 6, 16], |b| {
        let contrastive = loss::Contrastive::new(b, 0.5);
        Ok(boxed(move |z| {
            let (normal, outlier) = contrastive.losses(z)?;
            Ok(Tensor::cat(&[normal, outlier], 0)?)
        }))
    });
    let entropy = Case::module("cross entropy, by task", &[30], |_| {
        Ok(boxed(|logits| {
            let (normal, outlier) = loss::bce(logits)?;
            let labels = (0..30).map(|i| i % 5 == 4).collect();
            loss::per_task(&normal, &outlier, &Tasks::new(logits.unsqueeze(D::Minus1)?, labels, 3)?)
        }))
    });
    vec![distance, contrastive, entropy]
}

fn training() -> Vec<Case> {
    let mut cases = vec![Case::new("gradients of a step over tasks", tasks)];
    for amsgrad in [false, true] {
        let config = AdamConfig { amsgrad, weight_decay: 0.01, ..AdamConfig::default() };
        cases.push(Case::new(format!("Adam, amsgrad {amsgrad}"), move |device| {
            optimiser(device, |store| Ok(Box::new(Adam::new(store, config)?)))
        }));
    }
    let config = SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 0.01 };
    cases.push(Case::new("gradient descent", move |device| {
        optimiser(device, |store| Ok(Box::new(Sgd::new(store, config))))
    }));
    cases
}

/// Loss and gradients of eight tasks, two at a time.
fn tasks(device: Device) -> Result<Vec<Values>> {
    let mut store = ParamStore::on(device)?;
    let mut rng = stream(3, &[("purpose", "parity")]);
    let mut b = store.builder(&mut rng);
    let net = Mlp::new(&mut b.scope("net"), &MlpConfig::acr(40, &[33, 20], 8))?;
    let centre = b.add("center", &[8], Init::Normal(0.0, 1.0))?;
    let distance = loss::Distance::new(&mut b);
    let labels = (0..8 * 15).map(|i| i % 15 >= 10).collect();
    let tasks = Tasks::new(normal(&[8 * 15, 40], "tasks", &store)?, labels, 8)?;
    let (mean, gradients) = Trainer::within(&store, 40_000).gradients(&tasks, |part| {
        let (normal, outlier) = distance.dsvdd(&net.forward(part.x(), Pass::train(part.tasks()))?, &centre)?;
        loss::per_task(&normal, &outlier, part)
    })?;
    let mut found = vec![("loss".to_owned(), vec![mean])];
    for (p, gradient) in store.trainable().zip(gradients.into_iter().flatten()) {
        found.push((format!("gradient of {}", p.name), values(&gradient)?));
    }
    Ok(found)
}

/// A parameter after ten updates by given gradients.
fn optimiser(device: Device, new: impl Fn(&ParamStore) -> Result<Box<dyn Optimizer>>) -> Result<Vec<Values>> {
    let mut store = ParamStore::on(device)?;
    let var = store.builder(&mut stream(4, &[("purpose", "parity")])).add("p", &[300], Init::Normal(0.0, 1.0))?;
    let mut optimiser = new(&store)?;
    for step in 0..10 {
        let gradient = (normal(&[300], "gradient", &store)? * (1.5 - 0.3 * f64::from(step)))?;
        optimiser.step(&vec![Some(gradient)], 0.05)?;
    }
    Ok(vec![("parameter".to_owned(), values(&var)?)])
}

fn boxed(forward: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Forward {
    Box::new(forward)
}
