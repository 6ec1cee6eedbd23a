//! Layers, a loss and the optimisers equal those of candle-nn, which share no code with ours: outputs, the gradients of input
//! and parameters, and running statistics, with kernels and without them.

#[path = "common/every_path.rs"]
mod every_path;

use candle_core::{D, Tensor, Var};
use candle_nn::optim::{AdamW, ParamsAdamW, SGD};
use candle_nn::{BatchNorm, Conv2dConfig, GroupNorm, Module, ModuleT, Optimizer as _};
use zsad_core::Device;
use zsad_core::rng::stream;
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode, max_pool2, mean_over_space};
use zsad_nn::optim::{Adam, AdamConfig, Optimizer, Sgd, SgdConfig};
use zsad_nn::{Init, ParamStore, Pass, loss};

/// Single precision, sums of up to 1,000 terms.
const TOLERANCE: f64 = 2e-5;
const EPS: f64 = 1e-5;

type Forward<E> = Box<dyn Fn(&Tensor) -> std::result::Result<Tensor, E>>;

/// A forward pass of ours, and of candle-nn with the same parameters.
struct Both {
    name: String,
    store: ParamStore,
    ours: Forward<zsad_nn::Error>,
    theirs: Forward<candle_core::Error>,
}

fn normal(shape: &[usize], what: &str, store: &ParamStore) -> Tensor {
    let mut rng = stream(5, &[("purpose", what)]);
    Init::Normal(0.2, 1.0).tensor(shape, store.dtype(), store.device(), &mut rng).unwrap()
}

#[track_caller]
fn close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}");
    let largest = |x: &Tensor| x.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let off = f64::from(largest(&(ours - theirs).unwrap()) / largest(theirs).max(1.0));
    assert!(off <= TOLERANCE, "{what}: off by {off:e}");
}

impl Both {
    fn check(&self, shape: &[usize]) {
        let x = Var::from_tensor(&normal(shape, "input", &self.store)).unwrap();
        let (a, b) = ((self.ours)(&x).unwrap(), (self.theirs)(&x).unwrap());
        close(&format!("{}: output", self.name), &a, &b);
        let weight = normal(a.dims(), "weight", &self.store);
        let back = |y: &Tensor| (y * &weight).unwrap().sum_all().unwrap().backward().unwrap();
        let (a, b) = (back(&a), back(&b));
        let vars = self.store.trainable().map(|p| (p.name.as_str(), &p.var)).chain([("input", &x)]);
        for (name, var) in vars {
            let of = format!("{}: gradient of {name}", self.name);
            close(&of, a.get(var).unwrap(), b.get(var).unwrap());
        }
    }
}

/// `build` with parameters of its own on every way to compute.
fn on_each_way(build: impl Fn(&str, ParamStore) -> Both, shape: &[usize]) {
    for device in [Device::Cpu, Device::Composed] {
        build(&device.to_string(), ParamStore::on(device).unwrap()).check(shape);
    }
}

#[test]
fn a_linear_layer() {
    for (n, input, output) in [(1, 1, 1), (7, 13, 5), (96, 570, 128)] {
        let build = |way: &str, mut store: ParamStore| {
            let init = LinearInit { weight: Init::TorchWeight, bias: Some(Init::Normal(0.0, 1.0)) };
            let layer = Linear::new(&mut store.builder(&mut stream(1, &[])), input, output, init).unwrap();
            let bias = layer.bias.as_ref().map(|b| b.as_tensor().clone());
            let reference = candle_nn::Linear::new(layer.weight.as_tensor().clone(), bias);
            Both {
                name: format!("linear {n}x{input} -> {output} ({way})"),
                store,
                ours: Box::new(move |x| layer.forward(x)),
                theirs: Box::new(move |x| reference.forward(x)),
            }
        };
        on_each_way(build, &[n, input]);
    }
}

#[test]
fn a_convolution() {
    for (shape, output, stride) in [([2, 9, 5, 4], 4, 1), ([4, 16, 14, 14], 24, 2), ([2, 32, 16, 16], 48, 1)] {
        let build = |way: &str, mut store: ParamStore| {
            let mut rng = stream(1, &[]);
            let (weight, bias) = (Init::XavierUniform, Some(Init::Normal(0.0, 1.0)));
            let layer = Conv2d::new(&mut store.builder(&mut rng), shape[1], output, stride, weight, bias).unwrap();
            let bias = layer.bias.as_ref().map(|b| b.as_tensor().clone());
            let config = Conv2dConfig { padding: 1, stride, ..Conv2dConfig::default() };
            let reference = candle_nn::Conv2d::new(layer.weight.as_tensor().clone(), bias, config);
            Both {
                name: format!("conv2d {shape:?} -> {output}, stride {stride} ({way})"),
                store,
                ours: Box::new(move |x| layer.forward(x)),
                theirs: Box::new(move |x| reference.forward(x)),
            }
        };
        on_each_way(build, &shape);
    }
}

/// candle-nn's batch norm beside ours, over the tasks of `pass` one after the other.
fn batch_norm(mode: NormMode, pass: Pass, shape: &[usize]) {
    let channels = shape[1];
    let build = |way: &str, mut store: ParamStore| {
        let config = NormConfig::new(mode).random_gain();
        let norm = Norm::new(&mut store.builder(&mut stream(1, &[])), channels, config).unwrap();
        let (weight, bias) = norm.affine.clone().unwrap();
        let start = |value: f32| Tensor::full(value, channels, store.device()).unwrap();
        let (mean, var) = (start(0.0), start(1.0));
        let (weight, bias) = (weight.as_tensor().clone(), bias.as_tensor().clone());
        let reference = BatchNorm::new(channels, mean, var, weight, bias, EPS).unwrap();
        let kept = norm.running.clone();
        let theirs = move |x: &Tensor| {
            let tasks = x.chunk(pass.tasks, 0)?;
            let all = tasks.iter().map(|x| reference.forward_t(x, true)).collect::<candle_core::Result<Vec<_>>>()?;
            if let Some((mean, var)) = &kept {
                close("running mean", mean, reference.running_mean());
                close("running variance", var, reference.running_var());
            }
            Tensor::cat(&all, 0)
        };
        Both {
            name: format!("norm {mode:?} of {shape:?}, {pass:?} ({way})"),
            store,
            ours: Box::new(move |x| norm.forward(x, pass, false)),
            theirs: Box::new(theirs),
        }
    };
    on_each_way(build, shape);
}

#[test]
fn batch_statistics_of_one_task_and_of_several() {
    for shape in [&[18usize, 33][..], &[18, 32, 5, 6]] {
        for tasks in [1, 3] {
            batch_norm(NormMode::BatchStats, Pass::train(tasks), shape);
        }
        batch_norm(NormMode::Running, Pass::train(1), shape);
    }
}

#[test]
fn statistics_of_a_sample() {
    for (mode, shape, groups) in [
        (NormMode::Layer, &[6usize, 32, 5, 4][..], 1),
        (NormMode::Group, &[6, 32, 5, 4], 2),
        (NormMode::Instance, &[6, 32, 5, 4], 32),
        (NormMode::Layer, &[6, 48], 1),
        (NormMode::Group, &[6, 48], 3),
    ] {
        let channels = shape[1];
        let build = |way: &str, mut store: ParamStore| {
            let config = NormConfig { affine: true, ..NormConfig::new(mode).random_gain() };
            let norm = Norm::new(&mut store.builder(&mut stream(1, &[])), channels, config).unwrap();
            let (weight, bias) = norm.affine.clone().unwrap();
            let (weight, bias) = (weight.as_tensor().clone(), bias.as_tensor().clone());
            let reference = GroupNorm::new(weight, bias, channels, groups, EPS).unwrap();
            Both {
                name: format!("norm {mode:?} of {shape:?} ({way})"),
                store,
                ours: Box::new(move |x| norm.forward(x, Pass::train(1), false)),
                // It wants a dimension of space.
                theirs: Box::new(move |x| reference.forward(&x.unsqueeze(D::Minus1)?)?.squeeze(D::Minus1)),
            }
        };
        on_each_way(build, shape);
    }
}

#[test]
fn pooling() {
    let build = |way: &str, store: ParamStore| Both {
        name: format!("mean over space ({way})"),
        store,
        ours: Box::new(mean_over_space),
        theirs: Box::new(|x| x.avg_pool2d((6, 8))?.flatten_from(1)),
    };
    on_each_way(build, &[3, 4, 6, 8]);
    // Only forward: candle 0.11 multiplies the gradient of a max-pool by the share of a window that is greatest, a quarter,
    // where it should divide by the number.
    let x = normal(&[3, 4, 6, 8], "input", &ParamStore::on(Device::Cpu).unwrap());
    close("max-pool", &max_pool2(&x).unwrap(), &x.max_pool2d(2).unwrap());
}

#[test]
fn binary_cross_entropy() {
    let store = ParamStore::on(Device::Cpu).unwrap();
    // Moderate ones: candle-nn takes the logarithm of a rounded probability.
    let logits = normal(&[40], "logits", &store);
    let (normal, outlier) = loss::bce(&logits).unwrap();
    for (ours, label) in [(normal, 0.0f32), (outlier, 1.0)] {
        let labels = Tensor::full(label, 40, store.device()).unwrap();
        let theirs = candle_nn::loss::binary_cross_entropy_with_logit(&logits, &labels).unwrap();
        close("binary cross entropy", &ours.mean_all().unwrap(), &theirs);
    }
}

/// A parameter of ours and of candle-nn after ten updates by the same gradients.
fn updates(
    name: &str,
    device: Device,
    ours: impl Fn(&ParamStore) -> Box<dyn Optimizer>,
    mut theirs: impl candle_nn::Optimizer,
    var: &Var,
    lr: f64,
) {
    let mut store = ParamStore::on(device).unwrap();
    let own = store.builder(&mut stream(1, &[])).add("p", &[300], Init::ZEROS).unwrap();
    own.set(var).unwrap();
    let mut optimiser = ours(&store);
    for step in 0..10 {
        let gradient = (normal(&[300], "gradient", &store) * (1.5 - 0.3 * f64::from(step))).unwrap();
        theirs.backward_step(&(var.as_tensor() * &gradient).unwrap().sum_all().unwrap()).unwrap();
        optimiser.step(&vec![Some(gradient)], lr).unwrap();
    }
    close(&format!("{name} on {device}"), &own, var);
}

#[test]
fn optimisers() {
    for device in [Device::Cpu, Device::Composed] {
        let store = ParamStore::on(device).unwrap();
        let var = || Var::from_tensor(&normal(&[300], "parameter", &store)).unwrap();
        let (adam, sgd) = (var(), var());
        // Without decay the two ways to decay weights are one.
        let params = ParamsAdamW { lr: 0.05, weight_decay: 0.0, ..ParamsAdamW::default() };
        let reference = AdamW::new(vec![adam.clone()], params).unwrap();
        updates("Adam", device, |s| Box::new(Adam::new(s, AdamConfig::default()).unwrap()), reference, &adam, 0.05);
        let reference = SGD::new(vec![sgd.clone()], 0.05).unwrap();
        let config = SgdConfig { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        updates("gradient descent", device, |s| Box::new(Sgd::new(s, config)), reference, &sgd, 0.05);
    }
}
