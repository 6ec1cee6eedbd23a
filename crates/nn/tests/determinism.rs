//! The same bits on one and on two threads, and run after run.

use candle_core::{DType, Device};
use zsad_core::{Choice, Simd};
use zsad_nn::{Init, ParamStore, Pass, loss, nets, optim, train};

/// Five steps of training on a pool of so many threads: losses and final parameters.
fn train(threads: usize, images: Option<&nets::ConvNetConfig>) -> (Vec<u64>, Vec<u32>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut params = ParamStore::new(&Device::Cpu, DType::F32);
        let mut rng = zsad_core::rng::stream(1, &[]);
        let mut b = params.builder(&mut rng);
        let shape: &[usize] = images.map_or(&[40], |config| &config.input);
        let conv = images.map(|config| nets::ConvNet::new(&mut b.scope("conv"), config).unwrap());
        let mlp = nets::Mlp::new(&mut b.scope("mlp"), &nets::MlpConfig::acr(40, &[33, 20], 32)).unwrap();
        let centre = b.add("center", &[32], Init::Normal(0.0, 1.0)).unwrap();
        let distance = loss::Distance::new(&mut b);
        let trainer = train::Trainer::within(&params, 20_000);
        let mut updater = train::Updater::new(&params, optim::AdamConfig::default(), Some(1.0)).unwrap();
        let mut losses = Vec::new();
        for _ in 0..5 {
            let dim: usize = shape.iter().product();
            let x = Init::Normal(0.0, 1.0).draw(&[13 * 30, dim], &mut rng);
            let labels: Vec<bool> = (0..30).map(|i| i >= 20).collect();
            let parts: Vec<_> = x.chunks(30 * dim).map(|x| (x, labels.as_slice())).collect();
            let tasks = train::Tasks::stack(shape, &parts, &Device::Cpu).unwrap();
            let result = trainer.gradients(&tasks, |t| {
                let pass = Pass::train(t.tasks());
                let z = match &conv {
                    Some(conv) => conv.forward(t.x(), pass)?,
                    None => mlp.forward(t.x(), pass)?,
                };
                let (normal, outlier) = distance.dsvdd(&z, &centre)?;
                loss::per_task(&normal, &outlier, t)
            });
            let (loss, gradients) = result.unwrap();
            losses.push(updater.update(loss, gradients, 1e-2).unwrap().to_bits());
        }
        let bits = |p: &zsad_nn::params::Param| p.var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        (losses, params.iter().flat_map(bits).map(f32::to_bits).collect())
    })
}

/// Two training passes and a scoring of one large batch under running statistics: gradients, scores and statistics.
fn pooled(threads: usize, images: &nets::ConvNetConfig) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut params = ParamStore::new(&Device::Cpu, DType::F32);
        let mut rng = zsad_core::rng::stream(1, &[]);
        let norm = zsad_nn::layers::NormConfig::new(zsad_nn::layers::NormMode::Running);
        let config = nets::ConvNetConfig { norm, final_norm: Some(norm), ..images.clone() };
        let net = nets::ConvNet::new(&mut params.builder(&mut rng), &config).unwrap();
        let x = Init::Normal(0.0, 1.0).tensor(&[&[61], &config.input[..]].concat(), DType::F32, &Device::Cpu, &mut rng);
        let x = x.unwrap();
        let mut found = Vec::new();
        for _ in 0..2 {
            let loss = net.forward(&x, Pass::train(1)).unwrap().sqr().unwrap().sqr().unwrap().sum_all().unwrap();
            found.extend(params.gradients_of(&loss).unwrap().1.into_iter().flatten());
        }
        found.push(zsad_nn::no_grad(|| net.forward(&x, Pass::eval(1))).unwrap());
        found.extend(params.iter().map(|p| p.var.as_tensor().clone()));
        found.iter().flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).map(f32::to_bits).collect()
    })
}

#[test]
fn the_number_of_threads_changes_no_bit_of_one_large_batch() {
    let strided = nets::ConvNetConfig::omniglot([1, 12, 12]);
    let wide = nets::ConvNetConfig { filters: vec![48; 4], ..nets::ConvNetConfig::cnn4([1, 16, 16]) };
    for images in [strided, wide] {
        let one = pooled(1, &images);
        assert_eq!(one, pooled(2, &images));
        assert_eq!(one, pooled(5, &images));
    }
}

#[test]
fn every_set_of_fused_instructions_gives_the_same_bits() {
    const NAME: &str = "every_set_of_fused_instructions_gives_the_same_bits";
    let strided = nets::ConvNetConfig::omniglot([1, 12, 12]);
    let wide = nets::ConvNetConfig { filters: vec![48; 4], ..nets::ConvNetConfig::cnn4([1, 16, 16]) };
    let digest = format!("{:?}", [pooled(1, &strided), pooled(1, &wide), train(1, None).1]);
    let digest = format!("bits {}", zsad_core::key::key(&serde_json::json!(digest)));
    println!("{digest}");
    if std::env::var_os("ZSAD_SIMD").is_some() {
        return;
    }
    for simd in Simd::available().iter().filter(|s| **s != Simd::Portable) {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let output = again.args(["--exact", NAME, "--nocapture"]).env("ZSAD_SIMD", simd.word()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(&digest), "{simd}: {said}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let strided = nets::ConvNetConfig::omniglot([1, 12, 12]);
    // Wide enough for Winograd's convolutions.
    let pooled = nets::ConvNetConfig { filters: vec![48; 4], ..nets::ConvNetConfig::cnn4([1, 16, 16]) };
    for images in [None, Some(&strided), Some(&pooled)] {
        let one = train(1, images);
        assert!(one.0.windows(2).any(|w| w[0] != w[1]), "training moves");
        assert_eq!(one, train(2, images));
        assert_eq!(one, train(5, images));
        assert_eq!(one, train(1, images));
    }
}
