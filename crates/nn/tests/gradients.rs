//! Kernels against finite differences in f64 and against candle's own operations, on odd shapes, one sample and inputs
//! that are not contiguous.

#[path = "common/every_path.rs"]
mod every_path;

use candle_core::{DType, Device, Tensor, Var};
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::{Init, ParamStore, Pass, Result, nets};

fn input(shape: &[usize]) -> Var {
    let n: usize = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|i| (i as f64 * 12.9898).sin() * 1.7 + (i as f64 * 0.37).cos()).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// A scalar that depends on every output, unevenly.
fn weigh(y: &Tensor) -> Tensor {
    let n = y.elem_count();
    let w: Vec<f64> = (0..n).map(|i| (i as f64 * 7.1 + 1.0).sin()).collect();
    let w = Tensor::from_vec(w, y.shape(), y.device()).unwrap();
    (y * w).unwrap().sum_all().unwrap()
}

fn value(f: &dyn Fn(&Tensor) -> Result<Tensor>, x: &Var) -> f64 {
    weigh(&f(x).unwrap()).to_scalar().unwrap()
}

/// Compares `kernel`'s gradients of `x` and all parameters with central differences, and outputs and gradients with
/// those of `composed`.
fn check(
    params: &ParamStore,
    x: &Var,
    kernel: &dyn Fn(&Tensor) -> Result<Tensor>,
    composed: &dyn Fn(&Tensor) -> Result<Tensor>,
) {
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (y, reference) = (kernel(x).unwrap(), composed(x).unwrap());
    assert_eq!(y.dims(), reference.dims());
    for (a, b) in flat(&y).iter().zip(flat(&reference)) {
        assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "output {a} {b}");
    }
    let (gradients, others) = (weigh(&y).backward().unwrap(), weigh(&reference).backward().unwrap());
    for var in params.trainable().map(|p| p.var.clone()).chain([x.clone()]) {
        let gradient = gradients.get(&var).map_or_else(|| vec![0.0; var.elem_count()], flat);
        let other = others.get(&var).map_or_else(|| vec![0.0; var.elem_count()], flat);
        for (a, b) in gradient.iter().zip(&other) {
            assert!((a - b).abs() < 1e-7 * (1.0 + b.abs()), "gradient {a} {b} of {:?}", var.dims());
        }
        let before = flat(&var);
        for i in (0..before.len()).step_by(before.len().div_ceil(6)) {
            let shifted = |h: f64| {
                let mut v = before.clone();
                v[i] += h;
                var.set(&Tensor::from_vec(v, var.shape(), &Device::Cpu).unwrap()).unwrap();
                value(kernel, x)
            };
            let numeric = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
            assert!((numeric - gradient[i]).abs() < 1e-4 * (1.0 + numeric.abs()), "{numeric} {}", gradient[i]);
        }
        var.set(&Tensor::from_vec(before, var.shape(), &Device::Cpu).unwrap()).unwrap();
    }
}

fn store() -> (ParamStore, zsad_core::rng::Rng) {
    (ParamStore::new(&Device::Cpu, DType::F64), zsad_core::rng::stream(5, &[]))
}

#[test]
fn linear() {
    for (n, inputs, outputs) in [(1, 1, 1), (7, 13, 5), (9, 3, 70)] {
        let (mut params, mut rng) = store();
        let layer = Linear::new(&mut params.builder(&mut rng), inputs, outputs, LinearInit::torch(inputs)).unwrap();
        check(&params, &input(&[n, inputs]), &|x| layer.forward(x), &|x| layer.forward_reference(x));
        let transposed = |x: &Tensor| -> Result<Tensor> { Ok(x.t()?) };
        let apply = |x: &Tensor| layer.forward(&transposed(x)?);
        check(&params, &input(&[inputs, n]), &apply, &|x| layer.forward_reference(&transposed(x)?));
    }
}

#[test]
fn conv2d() {
    for (shape, outputs, stride) in
        [([1, 1, 1, 1], 1, 1), ([1, 2, 1, 5], 3, 2), ([2, 9, 5, 4], 4, 1), ([3, 2, 7, 6], 5, 2), ([2, 3, 6, 7], 2, 2)]
    {
        let (mut params, mut rng) = store();
        let (weight, bias) = (Init::XavierUniform, Some(Init::Normal(0.0, 1.0)));
        let layer = Conv2d::new(&mut params.builder(&mut rng), shape[1], outputs, stride, weight, bias).unwrap();
        check(&params, &input(&shape), &|x| layer.forward(x), &|x| layer.forward_reference(x));
    }
}

#[test]
fn norm() {
    for (tasks, batch, c, relu) in [(1, 1, 1, false), (1, 9, 70, true), (3, 5, 33, false), (2, 400, 3, true)] {
        for affine in [true, false] {
            let (mut params, mut rng) = store();
            let config = NormConfig { affine, ..NormConfig::new(NormMode::BatchStats).random_gain() };
            let norm = Norm::new(&mut params.builder(&mut rng), c, config).unwrap();
            let (x, pass) = (input(&[tasks * batch, c]), Pass::train(tasks));
            check(&params, &x, &|x| norm.forward(x, pass, relu), &|x| norm.forward_reference(x, pass, relu));
        }
    }
}

#[test]
fn networks_for_vectors() {
    for (tasks, batch, final_norm, mode) in [
        (1, 1, true, NormMode::None),
        (1, 5, true, NormMode::BatchStats),
        (3, 4, false, NormMode::BatchStats),
        (2, 3, true, NormMode::Layer),
    ] {
        let (mut params, mut rng) = store();
        let norm = NormConfig::new(mode);
        let config = nets::MlpConfig {
            norm,
            final_norm: final_norm.then_some(norm.random_gain()),
            ..nets::MlpConfig::acr(6, &[9, 4], 3)
        };
        let net = nets::Mlp::new(&mut params.builder(&mut rng), &config).unwrap();
        let pass = Pass::train(tasks);
        check(&params, &input(&[tasks * batch, 6]), &|x| net.forward(x, pass), &|x| net.forward_reference(x, pass));
    }
}

#[test]
fn networks_for_images() {
    for (base, input_shape) in [
        (nets::ConvNetConfig::omniglot([1, 9, 10]), [1, 9, 10]),
        (nets::ConvNetConfig::omniglot([9, 5, 5]), [9, 5, 5]),
        (nets::ConvNetConfig::cnn4([3, 9, 11]), [3, 9, 11]),
        (nets::ConvNetConfig::cnn4([1, 8, 8]), [1, 8, 8]),
    ] {
        let (mut params, mut rng) = store();
        let config = nets::ConvNetConfig { filters: vec![5; 4], output: 3, ..base };
        let net = nets::ConvNet::new(&mut params.builder(&mut rng), &config).unwrap();
        let [c, h, w] = input_shape;
        let pass = Pass::train(2);
        check(&params, &input(&[6, c, h, w]), &|x| net.forward(x, pass), &|x| net.forward_reference(x, pass));
    }
}

/// Every norm, in training and at test time, with tasks as it takes them.
const NORMS: [(NormMode, Pass); 6] = [
    (NormMode::Running, Pass { tasks: 1, training: true }),
    (NormMode::Running, Pass { tasks: 3, training: false }),
    (NormMode::Layer, Pass { tasks: 3, training: true }),
    (NormMode::Instance, Pass { tasks: 1, training: true }),
    (NormMode::Group, Pass { tasks: 1, training: true }),
    (NormMode::None, Pass { tasks: 1, training: true }),
];

#[test]
fn every_norm_in_networks_for_images() {
    for (mode, pass) in NORMS {
        // Nine samples are a large batch: they pass in parts. Filters are whole groups of channels, and are not.
        for (base, filters) in
            [(nets::ConvNetConfig::omniglot([1, 9, 10]), [20, 17]), (nets::ConvNetConfig::cnn4([9, 8, 6]), [4, 18])]
        {
            let (mut params, mut rng) = store();
            let norm = NormConfig { affine: true, ..NormConfig::new(mode).random_gain() };
            // After the mean over space one channel is one value.
            let final_norm = (mode != NormMode::Instance).then_some(norm);
            let config = nets::ConvNetConfig { filters: filters.to_vec(), output: 3, norm, final_norm, ..base };
            let net = nets::ConvNet::new(&mut params.builder(&mut rng), &config).unwrap();
            let [c, h, w] = config.input;
            let x = input(&[9, c, h, w]);
            check(&params, &x, &|x| net.forward(x, pass), &|x| net.forward_reference(x, pass));
        }
    }
}

#[test]
fn every_norm_in_networks_for_vectors() {
    for (mode, pass) in NORMS.into_iter().filter(|n| n.0 != NormMode::Instance) {
        let (mut params, mut rng) = store();
        let norm = NormConfig { affine: true, ..NormConfig::new(mode).random_gain() };
        let config = nets::MlpConfig { norm, final_norm: Some(norm), ..nets::MlpConfig::acr(6, &[18, 20], 3) };
        let net = nets::Mlp::new(&mut params.builder(&mut rng), &config).unwrap();
        check(&params, &input(&[9, 6]), &|x| net.forward(x, pass), &|x| net.forward_reference(x, pass));
    }
}

#[test]
fn views() {
    let (mut params, mut rng) = store();
    let views = nets::NtlViews::new(&mut params.builder(&mut rng), 3, 5, &[4, 6]).unwrap();
    check(&params, &input(&[4, 5]), &|x| views.forward(x), &|x| views.forward_reference(x));
    let y = views.forward(&input(&[4, 5])).unwrap();
    assert_eq!(y.dims(), [4, 4, 5]);
}

#[test]
fn views_and_encoder() {
    for (tasks, mode) in [(1, NormMode::BatchStats), (2, NormMode::BatchStats), (2, NormMode::Layer)] {
        let (mut params, mut rng) = store();
        let mut config = nets::NtlConfig { views: 3, view_hidden: vec![4], ..nets::NtlConfig::acr(5) };
        config.encoder = nets::MlpConfig { hidden: vec![6, 7], norm: NormConfig::new(mode), ..config.encoder };
        let net = nets::Ntl::new(&mut params.builder(&mut rng), &config).unwrap();
        let pass = Pass::train(tasks);
        check(&params, &input(&[tasks * 3, 5]), &|x| net.forward(x, pass), &|x| net.forward_reference(x, pass));
    }
}
