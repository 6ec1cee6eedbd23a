//! Running statistics: what the kernels leave in them is what candle's own operations leave.

#[path = "common/every_path.rs"]
mod every_path;

use candle_core::{DType, Device, Tensor};
use zsad_nn::layers::{NormConfig, NormMode};
use zsad_nn::params::Builder;
use zsad_nn::{ParamStore, Pass, Result, nets, no_grad};

fn wave(shape: &[usize], phase: f64) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f64> = (0..n).map(|i| (i as f64 * 0.7 + phase).sin() + (i % 5) as f64 * 0.3).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

type Forward = Box<dyn Fn(&Tensor, Pass) -> Result<Tensor>>;

/// Two training passes and a scoring: the scores, and all that the store keeps.
fn passes(build: &dyn Fn(&mut Builder) -> Forward, shape: &[usize], gradients: bool) -> Vec<f64> {
    let mut store = ParamStore::new(&Device::Cpu, DType::F64);
    let forward = build(&mut store.builder(&mut zsad_core::rng::stream(6, &[])));
    // A bias shifts the running mean, and nothing else.
    for p in store.iter().filter(|p| p.name.ends_with("bias")) {
        store.set(&p.name, &wave(p.var.dims(), 0.4)).unwrap();
    }
    for phase in [0.1, 2.3] {
        let train = || forward(&wave(shape, phase), Pass::train(1)).unwrap();
        if gradients {
            train()
        } else {
            no_grad(train)
        };
    }
    let scores = forward(&wave(shape, 0.9), Pass::eval(1)).unwrap();
    let kept = store.iter().filter(|p| !p.trainable).map(|p| p.var.as_tensor().clone());
    std::iter::once(scores).chain(kept).flat_map(|t| t.flatten_all().unwrap().to_vec1::<f64>().unwrap()).collect()
}

fn check(shape: &[usize], kernels: impl Fn(&mut Builder) -> Forward, composed: impl Fn(&mut Builder) -> Forward) {
    let want = passes(&composed, shape, true);
    for gradients in [true, false] {
        let got = passes(&kernels, shape, gradients);
        assert_eq!(got.len(), want.len());
        for (i, (a, b)) in got.iter().zip(&want).enumerate() {
            assert!((a - b).abs() < 1e-10, "{shape:?} at {i} of {}: {a} {b}", want.len());
        }
    }
}

#[test]
fn of_networks_for_images() {
    for base in [nets::ConvNetConfig::omniglot([1, 9, 10]), nets::ConvNetConfig::cnn4([2, 8, 6])] {
        let norm = NormConfig::new(NormMode::Running);
        let config = nets::ConvNetConfig { filters: vec![5, 7], output: 3, norm, final_norm: Some(norm), ..base };
        let [c, h, w] = config.input;
        let net = |b: &mut Builder| nets::ConvNet::new(b, &config).unwrap();
        let kernels = |b: &mut Builder| -> Forward {
            let net = net(b);
            Box::new(move |x, pass| net.forward(x, pass))
        };
        check(&[13, c, h, w], kernels, |b| {
            let net = net(b);
            Box::new(move |x, pass| net.forward_reference(x, pass))
        });
    }
}

#[test]
fn of_views_and_their_encoder() {
    let norm = NormConfig::new(NormMode::Running);
    // Few rows: the views' last layers stay. Many: they are joined to the encoder's first.
    for n in [2, 60] {
        let mut config = nets::NtlConfig { views: 3, view_hidden: vec![4], ..nets::NtlConfig::acr(5) };
        config.encoder = nets::MlpConfig { hidden: vec![6, 7], norm, final_norm: Some(norm), ..config.encoder };
        let net = |b: &mut Builder| nets::Ntl::new(b, &config).unwrap();
        let kernels = |b: &mut Builder| -> Forward {
            let net = net(b);
            Box::new(move |x, pass| net.forward(x, pass))
        };
        check(&[n, 5], kernels, |b| {
            let net = net(b);
            Box::new(move |x, pass| net.forward_reference(x, pass))
        });
    }
}
