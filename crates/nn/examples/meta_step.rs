//! One meta-training step of ACR, timed: loss, backward and one Adam update over all tasks.
//!
//! `cargo run --release -p zsad-nn --example meta_step -- [--config NAME]… [--device DEVICE] [--threads N] [--iters N] [--fits N]`
//!
//! Configurations `pooled_…` are ordinary training steps of one batch, under running statistics.
//!
//! Prints a JSON line for each configuration: config, device, threads, tasks, median_ms, min_ms, forward_ms, peak_rss_mb,
//! gemm_gflops (the processor's). With `--fits N` it instead runs N independent trainings at once, each on a pool of `--threads` of its
//! own, and prints the wall time of all of them beside that of one.

use std::time::Instant;

use candle_core::Tensor;
use rayon::prelude::*;
use zsad_core::Device;
use zsad_core::rng::stream;
use zsad_nn::layers::{NormConfig, NormMode};
use zsad_nn::train::{Tasks, Trainer, Updater};
use zsad_nn::{Init, ParamStore, Pass, Result, loss, nets, optim};

#[path = "../benches/shared/roofline.rs"]
mod roofline;

/// Shapes, outliers in a task and tasks in a step, as in the PyTorch script beside which this is measured.
const CONFIGS: [(&str, &[usize], usize, usize, usize); 7] = [
    ("tab_dsvdd", &[570], 512, 103, 32),
    ("tab_ntl", &[570], 512, 103, 8),
    ("omniglot_cnn", &[1, 28, 28], 30, 15, 32),
    ("cnn4", &[3, 32, 32], 60, 30, 32),
    ("feature_svdd", &[1024], 60, 30, 32),
    ("pooled_omniglot", &[1, 28, 28], 240, 120, 1),
    ("pooled_cnn4", &[3, 32, 32], 240, 120, 1),
];

type Losses = Box<dyn Fn(&Tasks) -> Result<(Tensor, Tensor)> + Sync + Send>;

fn model(config: &str, shape: &[usize], params: &mut ParamStore) -> Result<Losses> {
    let mut rng = stream(0, &[("purpose", "init")]);
    let mut b = params.builder(&mut rng);
    if config == "tab_ntl" {
        let net = nets::Ntl::new(&mut b, &nets::NtlConfig::acr(shape[0]))?;
        let contrastive = loss::Contrastive::new(&mut b, 0.1);
        return Ok(Box::new(move |t| contrastive.losses(&net.forward(t.x(), Pass::train(t.tasks()))?)));
    }
    let distance = loss::Distance::new(&mut b);
    let centre = b.add("center", &[32], Init::Normal(0.0, 1.0))?;
    if let [c, h, w] = *shape {
        let pooled = config.starts_with("pooled");
        let mut config = match config {
            "cnn4" | "pooled_cnn4" => nets::ConvNetConfig::cnn4([c, h, w]),
            _ => nets::ConvNetConfig::omniglot([c, h, w]),
        };
        if pooled {
            config.norm.mode = NormMode::Running;
            config.final_norm = config.final_norm.map(|n| NormConfig { mode: NormMode::Running, ..n });
        }
        let net = nets::ConvNet::new(&mut b, &config)?;
        return Ok(Box::new(move |t| distance.dsvdd(&net.forward(t.x(), Pass::train(t.tasks()))?, &centre)));
    }
    let hidden: &[usize] = if config == "feature_svdd" { &[512, 256, 128, 64, 32] } else { &[128; 3] };
    let net = nets::Mlp::new(&mut b, &nets::MlpConfig::acr(shape[0], hidden, 32))?;
    Ok(Box::new(move |t| distance.dsvdd(&net.forward(t.x(), Pass::train(t.tasks()))?, &centre)))
}

struct Fit {
    losses: Losses,
    /// For a step on one large batch.
    pooled: Option<ParamStore>,
    trainer: Trainer,
    updater: Updater,
    tasks: Tasks,
    each: Vec<Tasks>,
}

impl Fit {
    fn new(
        (name, shape, batch, outliers, count): (&str, &[usize], usize, usize, usize),
        device: Device,
    ) -> Result<Fit> {
        let mut params = ParamStore::on(device)?;
        let losses = model(name, shape, &mut params)?;
        let mut rng = stream(0, &[("purpose", "data")]);
        let dim: usize = shape.iter().product();
        let x = Init::Normal(0.0, 1.0).draw(&[count * batch, dim], &mut rng);
        let labels: Vec<bool> = (0..batch).map(|i| i >= batch - outliers).collect();
        let parts: Vec<_> = x.chunks(batch * dim).map(|x| (x, labels.as_slice())).collect();
        let tasks = Tasks::stack(shape, &parts, params.device())?;
        let each = parts.iter().map(|p| Tasks::stack(shape, &[*p], params.device())).collect::<Result<_>>()?;
        let updater = Updater::new(&params, optim::AdamConfig::default(), None)?;
        let pooled = name.starts_with("pooled").then(|| params.clone());
        Ok(Fit { losses, pooled, trainer: Trainer::new(&params), updater, tasks, each })
    }

    /// A step, to its end: a GPU works on after it was told.
    fn step(&mut self) -> Result<f64> {
        let loss = self.start()?;
        self.tasks.x().device().synchronize()?;
        Ok(loss)
    }

    fn start(&mut self) -> Result<f64> {
        let losses = &self.losses;
        if let Some(params) = &self.pooled {
            let (normal, outlier) = losses(&self.tasks)?;
            let loss = loss::per_task(&normal, &outlier, &self.tasks)?.mean_all()?;
            let (loss, gradients) = params.gradients_of(&loss)?;
            return self.updater.update(loss, gradients, 1e-3);
        }
        let (mean, gradients) = self.trainer.gradients(&self.tasks, |t| {
            let (normal, outlier) = losses(t)?;
            loss::per_task(&normal, &outlier, t)
        })?;
        self.updater.update(mean, gradients, 1e-3)
    }

    fn forward(&self) -> Result<()> {
        self.each.par_iter().try_for_each(|t| (self.losses)(t).map(|_| ()))?;
        Ok(self.tasks.x().device().synchronize()?)
    }
}

fn milliseconds(mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    f()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn pool(threads: usize) -> std::result::Result<rayon::ThreadPool, Box<dyn std::error::Error>> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}

fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // SAFETY: no other thread runs yet. Candle would else keep a pool of its own beside ours.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let (mut names, mut threads, mut iters, mut fits, mut device) = (Vec::new(), 2, 5, 0, Device::Cpu);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--config" => names.push(value),
            "--threads" => threads = value.parse()?,
            "--iters" => iters = value.parse()?,
            "--fits" => fits = value.parse()?,
            "--device" => device = value.parse()?,
            _ => return Err(format!("unknown option {flag}").into()),
        }
    }
    if let Some(unknown) = names.iter().find(|n| CONFIGS.iter().all(|c| c.0 != n.as_str())) {
        return Err(format!("unknown configuration {unknown}").into());
    }
    for config in CONFIGS.into_iter().filter(|c| names.is_empty() || names.iter().any(|n| n == c.0)) {
        if fits > 0 {
            several(config, device, [fits, threads, iters])?;
            continue;
        }
        let pool = pool(threads)?;
        let (times, forward, gflops) = pool.install(|| -> Result<_> {
            let mut fit = Fit::new(config, device)?;
            fit.step()?;
            let mut times = Vec::new();
            for _ in 0..iters {
                times.push(milliseconds(|| fit.step().map(|_| ()))?);
            }
            let forward = milliseconds(|| fit.forward())?;
            times.sort_by(f64::total_cmp);
            Ok((times, forward, roofline::gemm_gflops(2048, 5)?))
        })?;
        let median = (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2.0;
        println!(
            "{{\"config\": \"{}\", \"device\": \"{device}\", \"threads\": {threads}, \"tasks\": {}, \"median_ms\": {median:.1}, \
             \"min_ms\": {:.1}, \"forward_ms\": {forward:.1}, \"peak_rss_mb\": {}, \"gemm_gflops\": {gflops:.1}}}",
            config.0,
            config.4,
            times[0],
            peak_rss_mb(),
        );
    }
    Ok(())
}

/// `fits` trainings of `iters` steps at once against one alone, each on a pool of its own.
fn several(
    config: (&str, &[usize], usize, usize, usize),
    device: Device,
    [fits, threads, iters]: [usize; 3],
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let pools = (0..fits).map(|_| pool(threads)).collect::<std::result::Result<Vec<_>, _>>()?;
    let train = |pool: &rayon::ThreadPool| -> Result<()> {
        pool.install(|| {
            let mut fit = Fit::new(config, device)?;
            (0..iters).try_for_each(|_| fit.step().map(|_| ()))
        })
    };
    train(&pools[0])?;
    let (mut one, mut all) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..3 {
        one = one.min(milliseconds(|| train(&pools[0]))?);
        all = all.min(milliseconds(|| {
            std::thread::scope(|s| {
                let running: Vec<_> = pools.iter().map(|p| s.spawn(|| train(p))).collect();
                running.into_iter().try_for_each(|r| r.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
            })
        })?);
    }
    println!(
        "{{\"config\": \"{}\", \"fits\": {fits}, \"threads_each\": {threads}, \"one_ms\": {one:.1}, \
         \"all_ms\": {all:.1}, \"ratio\": {:.3}}}",
        config.0,
        all / one
    );
    Ok(())
}
