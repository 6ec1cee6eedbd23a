//! All tasks in one pass are the same mathematics as a loop over the tasks: forward and gradients.

#[path = "common/every_path.rs"]
mod every_path;

use candle_core::{DType, Device, Tensor};
use zsad_nn::layers::{LinearInit, NormConfig, NormMode};
use zsad_nn::{Init, ParamStore, Pass, Result, loss, nets, train};

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * i) as f32 * 0.37 + i as f32 * 0.11).sin()).collect()
}

fn tasks(shape: &[usize], tasks: usize, batch: usize) -> train::Tasks {
    let dim: usize = shape.iter().product();
    let x = values(tasks * batch * dim);
    let y: Vec<bool> = (0..batch).map(|i| 3 * i >= 2 * batch).collect();
    let parts: Vec<_> = x.chunks(batch * dim).map(|c| (c, y.as_slice())).collect();
    train::Tasks::stack(shape, &parts, &Device::Cpu).unwrap()
}

/// Loss and gradients with so many bytes of activations at once.
fn run(
    params: &ParamStore,
    tasks: &train::Tasks,
    bytes: usize,
    loss: impl Fn(&train::Tasks) -> Result<Tensor> + Sync,
) -> (f64, Vec<Vec<f32>>) {
    let (value, grads) = train::Trainer::within(params, bytes).gradients(tasks, loss).unwrap();
    let flat = |g: Tensor| g.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    (value, grads.into_iter().flatten().map(flat).collect())
}

fn assert_close(a: &(f64, Vec<Vec<f32>>), b: &(f64, Vec<Vec<f32>>)) {
    assert!((a.0 - b.0).abs() <= 1e-5 * a.0.abs(), "{} {}", a.0, b.0);
    // One scale for all: some gradients are zero up to rounding (a bias before a batch norm).
    let scale = a.1.iter().flatten().fold(0f32, |m, v| m.max(v.abs()));
    assert!(a.1.len() == b.1.len() && scale > 0.0);
    for (a, b) in a.1.iter().zip(&b.1) {
        let worst = a.iter().zip(b).fold(0f32, |m, (x, y)| m.max((x - y).abs()));
        assert!(worst <= 1e-5 * scale, "{worst} of {scale}");
    }
}

fn check(shape: &[usize], net: impl Fn(&mut zsad_nn::params::Builder) -> Net) {
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(3, &[]);
    let mut b = params.builder(&mut rng);
    let net = net(&mut b);
    let centre = b.add("center", &[5], Init::Normal(0.0, 1.0)).unwrap();
    let (distance, contrastive) = (loss::Distance::new(&mut b), loss::Contrastive::new(&mut b, 0.1));
    let tasks = tasks(shape, 6, 9);
    let loss = |t: &train::Tasks| {
        let pass = Pass::train(t.tasks());
        let (n, a) = match &net {
            Net::Mlp(net) => distance.dsvdd(&net.forward(t.x(), pass)?, &centre)?,
            Net::Conv(net) => distance.dsvdd(&net.forward(t.x(), pass)?, &centre)?,
            Net::Ntl(net) => contrastive.losses(&net.forward(t.x(), pass)?)?,
        };
        loss::per_task(&n, &a, t)
    };
    let one_by_one = run(&params, &tasks, 1, loss);
    assert_close(&one_by_one, &run(&params, &tasks, 20_000, loss));
    assert_close(&one_by_one, &run(&params, &tasks, usize::MAX, loss));
}

enum Net {
    Mlp(nets::Mlp),
    Conv(nets::ConvNet),
    Ntl(nets::Ntl),
}

#[test]
fn mlp() {
    check(&[7], |b| Net::Mlp(nets::Mlp::new(b, &nets::MlpConfig::acr(7, &[13, 6], 5)).unwrap()));
}

#[test]
fn strided_and_pooled_convnets() {
    for config in [nets::ConvNetConfig::omniglot([1, 11, 13]), nets::ConvNetConfig::cnn4([2, 9, 8])] {
        let config = nets::ConvNetConfig { filters: vec![6; 4], output: 5, ..config };
        check(&config.input.clone(), |b| Net::Conv(nets::ConvNet::new(b, &config).unwrap()));
    }
}

#[test]
fn ntl_and_the_other_norms() {
    let mut config = nets::NtlConfig { views: 3, view_hidden: vec![4], ..nets::NtlConfig::acr(6) };
    config.encoder.hidden = vec![8, 8];
    for mode in [NormMode::BatchStats, NormMode::Layer, NormMode::None] {
        config.encoder.norm = NormConfig::new(mode);
        check(&[6], |b| Net::Ntl(nets::Ntl::new(b, &config).unwrap()));
    }
}

#[test]
fn wrong_shapes_are_named() {
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(3, &[]);
    let linear = zsad_nn::layers::Linear::new(&mut params.builder(&mut rng), 4, 2, LinearInit::torch(4)).unwrap();
    let x = Tensor::zeros((3, 5), DType::F32, &Device::Cpu).unwrap();
    let e = linear.forward(&x).unwrap_err();
    assert_eq!(e.to_string(), "linear 4 -> 2 wants [n, 4], not [3, 5]");
}

#[test]
fn a_limit_in_bytes_bounds_the_tasks_that_pass_at_once() {
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(3, &[]);
    let mut b = params.builder(&mut rng);
    let net = nets::Mlp::new(&mut b, &nets::MlpConfig::acr(7, &[13, 6], 5)).unwrap();
    let centre = b.add("center", &[5], Init::Normal(0.0, 1.0)).unwrap();
    let distance = loss::Distance::new(&mut b);
    let tasks = tasks(&[7], 24, 9);
    // A task of nine keeps its input and what each layer makes of it, in f32, and at most half as much in statistics.
    let task = 9 * (7 + 13 + 6 + 5) * 4;
    let most = |bytes: usize, threads: usize| {
        let most = std::sync::atomic::AtomicUsize::new(0);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            run(&params, &tasks, bytes, |t| {
                most.fetch_max(t.tasks(), std::sync::atomic::Ordering::Relaxed);
                let (n, a) = distance.dsvdd(&net.forward(t.x(), Pass::train(t.tasks()))?, &centre)?;
                loss::per_task(&n, &a, t)
            })
        });
        most.into_inner()
    };
    assert_eq!([most(1, 1), most(usize::MAX, 1)], [1, 24]);
    for limit in [2 * task, 4 * task, 9 * task] {
        let at_once = most(limit, 1);
        assert!(at_once * task <= limit && at_once * task * 4 > limit, "{at_once} tasks of {task} in {limit} bytes");
        assert_eq!(at_once, most(limit, 2), "the number of threads changes no part");
    }
}
