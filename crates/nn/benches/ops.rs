//! Each kernel beside the same from candle's own operations, forward and backward, one thread; and how near whole networks
//! come to the rate of a plain matrix product (the roofline).
//!
//! A max-pool has no kernel of its own: in a network it is part of the stage of its convolution, and so it is here.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor, Var};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use zsad_core::Implementation;
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::optim::{Adam, AdamConfig, Optimizer};
use zsad_nn::{Init, ParamStore, Pass, Result, loss, nets};

#[path = "shared/roofline.rs"]
mod roofline;

fn normal(shape: &[usize]) -> Var {
    let mut rng = zsad_core::rng::stream(0, &[("purpose", "bench")]);
    Var::from_tensor(&Init::Normal(0.0, 1.0).tensor(shape, DType::F32, &Device::Cpu, &mut rng).unwrap()).unwrap()
}

fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    group
}

/// Both forms, forward and backward.
fn pair(c: &mut Criterion, name: &str, kernel: impl Fn() -> Result<Tensor>, composed: impl Fn() -> Result<Tensor>) {
    let mut group = group(c, name);
    group.bench_function("kernel", |b| b.iter(|| kernel().unwrap().sum_all().unwrap().backward().unwrap()));
    group.bench_function("composed", |b| b.iter(|| composed().unwrap().sum_all().unwrap().backward().unwrap()));
    group.finish();
}

fn layers(c: &mut Criterion) {
    // SAFETY: no other thread runs yet. One thread for candle's own operations, too.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(0, &[]);
    let mut b = params.builder(&mut rng);

    let x = normal(&[512, 570]);
    let linear = Linear::new(&mut b.scope("linear"), 570, 128, LinearInit::torch(570)).unwrap();
    pair(c, "linear 512x570x128", || linear.forward(&x), || linear.forward_reference(&x));

    for (stride, size) in [(1, 16), (2, 14)] {
        let x = normal(&[16, 64, size, size]);
        let conv = Conv2d::new(&mut b.scope(stride), 64, 64, stride, Init::XavierUniform, None).unwrap();
        let name = format!("conv2d 16x64x{size}x{size} stride {stride}");
        pair(c, &name, || conv.forward(&x), || conv.forward_reference(&x));
    }

    let x = normal(&[2048, 128]);
    let norm = Norm::new(&mut b.scope("norm"), 128, NormConfig::new(NormMode::BatchStats)).unwrap();
    for (name, relu) in [("norm 4 tasks x 512x128", false), ("norm and ReLU 4 tasks x 512x128", true)] {
        let pass = Pass::train(4);
        pair(c, name, || norm.forward(&x, pass, relu), || norm.forward_reference(&x, pass, relu));
    }

    let x = normal(&[16, 64, 16, 16]);
    let base = nets::ConvNetConfig { filters: vec![64], ..nets::ConvNetConfig::cnn4([64, 16, 16]) };
    let block = nets::ConvNet::new(&mut b.scope("block"), &base).unwrap();
    let pass = Pass::train(1);
    let name = "conv2d, norm, ReLU, max-pool 16x64x16x16, and a linear layer";
    pair(c, name, || block.forward(&x, pass), || block.forward_reference(&x, pass));

    let net = nets::ConvNet::new(&mut b.scope("omniglot"), &nets::ConvNetConfig::omniglot([1, 28, 28])).unwrap();
    let x = normal(&[30, 1, 28, 28]).detach();
    pair(c, "omniglot network, one task", || net.forward(&x, pass), || net.forward_reference(&x, pass));
}

fn losses(c: &mut Criterion) {
    let (z, centre) = (normal(&[16_384, 32]), normal(&[32]));
    let composed = || loss::squared_distance_reference(&z, &centre);
    pair(c, "squared distance 16384x32", || loss::Distance::by(Implementation::Fused).squared(&z, &centre), composed);
    let z = normal(&[512, 20, 32]);
    let sum = |(normal, outlier): (Tensor, Tensor)| -> Result<Tensor> { Ok((normal + outlier)?) };
    let (kernel, composed) =
        (|| sum(loss::Contrastive::by(Implementation::Fused, 0.1).losses(&z)?), || sum(loss::ntl_reference(&z, 0.1)?));
    pair(c, "contrastive loss 512x20x32", kernel, composed);
}

/// Adam over the parameters of the network for feature vectors.
fn adam(c: &mut Criterion) {
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(0, &[]);
    let config = nets::MlpConfig::acr(1024, &[512, 256, 128, 64, 32], 32);
    nets::Mlp::new(&mut params.builder(&mut rng), &config).unwrap();
    let gradients: Vec<Tensor> = params.trainable().map(|p| normal(p.var.dims()).detach()).collect();
    let mut group = group(c, &format!("Adam {} values", params.count()));
    let mut adam = Adam::new(&params, AdamConfig::default()).unwrap();
    let all = gradients.iter().cloned().map(Some).collect();
    group.bench_function("kernel", |b| b.iter(|| adam.step(&all, 1e-3).unwrap()));
    let zeros = || gradients.iter().map(|g| g.zeros_like().unwrap()).collect::<Vec<_>>();
    let (mut first, mut second) = (zeros(), zeros());
    let mut composed = || -> candle_core::Result<()> {
        for (((p, g), m), v) in params.trainable().zip(&gradients).zip(&mut first).zip(&mut second) {
            *m = ((&*m * 0.9)? + (g * 0.1)?)?;
            *v = ((&*v * 0.999)? + (g.sqr()? * 0.001)?)?;
            p.var.set(&(p.var.as_tensor().detach() - (m.div(&(v.sqrt()? + 1e-8)?)? * 1e-3)?)?)?;
        }
        Ok(())
    };
    group.bench_function("composed", |b| b.iter(|| composed().unwrap()));
    group.finish();
}

/// Achieved over measured GFLOP/s, printed once: criterion knows times alone.
fn roofline_lines(_: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let peak = roofline::gemm_gflops(1024, 5).unwrap();
        let mut params = ParamStore::new(&Device::Cpu, DType::F32);
        let mut rng = zsad_core::rng::stream(0, &[]);
        let mut b = params.builder(&mut rng);
        let mlp = nets::Mlp::new(&mut b.scope("mlp"), &nets::MlpConfig::acr(570, &[128; 3], 32)).unwrap();
        let conv = nets::ConvNet::new(&mut b.scope("conv"), &nets::ConvNetConfig::omniglot([1, 28, 28])).unwrap();
        let (rows, images) = (normal(&[512, 570]).detach(), normal(&[30, 1, 28, 28]).detach());
        let pass = Pass::train(1);
        // Multiply-adds: forward, and backward for all weights and all inputs but the first layer's.
        let mlp_work = 512.0 * (570.0 * 128.0 * 2.0 + (2.0 * 128.0 * 128.0 + 128.0 * 32.0) * 3.0);
        let pixels = (49 + 16 + 4) as f64;
        let conv_work = 30.0 * (196.0 * 9.0 * 64.0 * 2.0 + pixels * 9.0 * 64.0 * 64.0 * 3.0);
        line("570-128-128-128-32", mlp_work, peak, || mlp.forward(&rows, pass));
        line("omniglot network", conv_work, peak, || conv.forward(&images, pass));
    });
}

fn line(name: &str, work: f64, peak: f64, net: impl Fn() -> Result<Tensor>) {
    let best = (0..30).map(|_| {
        let start = Instant::now();
        net().unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
        start.elapsed().as_secs_f64()
    });
    let rate = 2e-9 * work / best.fold(f64::INFINITY, f64::min);
    println!(
        "roofline: {name}, one task forward and backward: {rate:.0} of {peak:.0} GFLOP/s ({:.0} %)",
        100.0 * rate / peak
    );
}

criterion_group!(benches, layers, losses, adam, roofline_lines);
criterion_main!(benches);
