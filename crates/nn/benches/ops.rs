//! Each kernel beside the same from candle's own operations, forward and backward, one thread; and how near the
//! networks come to the rate of a plain matrix product (the roofline).

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use zsad_nn::layers::{Conv2d, Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::{Init, ParamStore, Pass, Result, loss, nets, roofline};

fn normal(shape: &[usize]) -> Tensor {
    let mut rng = zsad_core::rng::stream(0, &[("purpose", "bench")]);
    Init::Normal(0.0, 1.0).tensor(shape, DType::F32, &Device::Cpu, &mut rng).unwrap()
}

/// A form under test, forward and backward.
fn pair(c: &mut Criterion, name: &str, kernel: impl Fn() -> Result<Tensor>, composed: impl Fn() -> Result<Tensor>) {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    group.bench_function("kernel", |b| b.iter(|| kernel().unwrap().sum_all().unwrap().backward().unwrap()));
    group.bench_function("composed", |b| b.iter(|| composed().unwrap().sum_all().unwrap().backward().unwrap()));
    group.finish();
}

fn ops(c: &mut Criterion) {
    let mut params = ParamStore::new(&Device::Cpu, DType::F32);
    let mut rng = zsad_core::rng::stream(0, &[]);
    let mut b = params.builder(&mut rng);

    let x = normal(&[512, 570]);
    let linear = Linear::new(&mut b.scope("linear"), 570, 128, LinearInit::torch(570)).unwrap();
    pair(c, "linear 512x570x128", || linear.forward(&x), || linear.forward_composed(&x));

    for (stride, size) in [(1, 16), (2, 14)] {
        let x = normal(&[16, 64, size, size]);
        let conv = Conv2d::new(&mut b.scope(stride), 64, 64, stride, Init::XavierUniform, None).unwrap();
        let name = format!("conv2d 16x64x{size}x{size} stride {stride}");
        pair(c, &name, || conv.forward(&x), || conv.forward_composed(&x));
    }

    // Norm and ReLU have no kernel of their own: in a network they are part of the stage of their linear map.
    let norm = Norm::new(&mut b.scope("norm"), 128, NormConfig::new(NormMode::BatchStats)).unwrap();
    let block = || norm.forward(&linear.forward_composed(&x)?, Pass::train(1), true);
    let config = nets::MlpConfig::acr(570, &[128], 32);
    let small = nets::Mlp::new(&mut b.scope("block"), &config).unwrap();
    pair(c, "linear, norm, ReLU against a whole network of one block", || small.forward(&x, Pass::train(1)), block);

    let net = nets::ConvNet::new(&mut b.scope("omniglot"), &nets::ConvNetConfig::omniglot([1, 28, 28])).unwrap();
    let x = normal(&[30, 1, 28, 28]);
    let pass = Pass::train(1);
    pair(c, "omniglot network, one task", || net.forward(&x, pass), || net.forward_composed(&x, pass));

    let z = normal(&[512, 20, 32]);
    let var = candle_core::Var::from_tensor(&z).unwrap();
    c.bench_function("ntl loss 512x20x32", |b| {
        b.iter(|| loss::ntl(&var, 0.1).unwrap().0.sum_all().unwrap().backward())
    });
}

/// Achieved over measured GFLOP/s, printed once: criterion knows times alone.
fn roofline_line(_: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let mut params = ParamStore::new(&Device::Cpu, DType::F32);
        let mut rng = zsad_core::rng::stream(0, &[]);
        let config = nets::MlpConfig::acr(570, &[128; 3], 32);
        let net = nets::Mlp::new(&mut params.builder(&mut rng), &config).unwrap();
        let x = normal(&[512, 570]);
        let best = (0..30).map(|_| {
            let start = Instant::now();
            net.forward(&x, Pass::train(1)).unwrap();
            start.elapsed().as_secs_f64()
        });
        let rate = 2e-9 * 512.0 * 109_824.0 / best.fold(f64::INFINITY, f64::min);
        let peak = roofline::gemm_gflops(1024, 5);
        println!(
            "roofline: forward of 570-128-128-128-32 at {rate:.0} GFLOP/s of {peak:.0} ({:.0} %)",
            100.0 * rate / peak
        );
    });
}

criterion_group!(benches, ops, roofline_line);
criterion_main!(benches);
