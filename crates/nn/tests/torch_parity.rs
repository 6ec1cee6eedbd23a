//! A meta-training loss and its gradients equal PyTorch's, which loops over the tasks.

#[path = "common/every_path.rs"]
mod every_path;

use candle_core::{DType, Device, Tensor};
use zsad_nn::params::Builder;
use zsad_nn::{Init, ParamStore, Pass, Result, loss, nets, train};

// import torch
// from torch import nn
// torch.set_default_dtype(torch.float64)
// def fill(net, centre):
//     k = 0
//     for p in [*net.parameters(), centre]:
//         with torch.no_grad():
//             p.copy_((torch.sin((torch.arange(p.numel()) + k) * 1.3 + 0.4) * 0.6 + 0.1).view(p.shape))
//         k += p.numel()
// def block(c, pool):
//     return [nn.Conv2d(c, 3, 3, padding=1, stride=1 if pool else 2), nn.BatchNorm2d(3), nn.ReLU()] + [nn.MaxPool2d(2)] * pool
// mlp = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2), nn.BatchNorm1d(2))
// strided = nn.Sequential(*block(2, False), *block(3, False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.BatchNorm1d(2))
// pooled = nn.Sequential(*block(2, True), *block(3, True), nn.Flatten(), nn.Linear(12, 2), nn.BatchNorm1d(2))
// for net, shape in [(mlp, (8, 5)), (strided, (8, 2, 7, 6)), (pooled, (8, 2, 8, 9))]:
//     centre = nn.Parameter(torch.zeros(2))
//     fill(net, centre)
//     n = torch.Size(shape).numel()
//     x = (torch.sin(torch.arange(n) * 0.9) + torch.cos(torch.arange(n) * 0.31)).view(shape)
//     loss = 0
//     for t in x.split(4):  # two tasks of three normals and one outlier
//         d = ((net(t) - centre) ** 2).sum(1)
//         loss = loss + torch.cat([d[:3], 1 / d[3:]]).mean() / 2
//     loss.backward()
//     print(loss.item(), [p.grad.norm().item() for p in [*net.parameters(), centre]], list(net.parameters())[0].grad.flatten()[:2].tolist())
const MLP: (f64, [f64; 9]) = (
    1.5278362985782221,
    [
        1.5640045775139602,
        0.0,
        0.06387373522553567,
        0.17367505235264208,
        0.18925768938033463,
        0.0,
        0.7429679327307047,
        1.6974515922436104,
        1.6974515922436104,
    ],
);
const STRIDED: (f64, [f64; 13]) = (
    1.426184378868319,
    [
        1.7074663602645637,
        0.0,
        1.465068166198927,
        0.8989533566947127,
        1.4205551654920217,
        0.0,
        3.0909162494007405,
        0.7626414131570908,
        1.3236688552817237,
        0.0,
        0.9999081790508608,
        0.9741702457142268,
        0.9741702457142268,
    ],
);
const POOLED: (f64, [f64; 13]) = (
    1.327782593258258,
    [
        7.60306607681371,
        0.0,
        1.4636097965401431,
        0.9638791325419166,
        1.4986696895914826,
        0.0,
        1.634122134279151,
        0.0,
        0.6495090506361143,
        0.0,
        1.1378408648287484,
        1.217493947429618,
        1.217493947429618,
    ],
);

/// Builds a network and returns its forward pass.
type Build = fn(&mut Builder) -> Result<Box<dyn Fn(&Tensor, Pass) -> Result<Tensor> + Sync>>;

fn check(build: Build, shape: &[usize], want: f64, norms: &[f64]) {
    let mut params = ParamStore::new(&Device::Cpu, DType::F64);
    let mut rng = zsad_core::rng::stream(0, &[]);
    let mut b = params.builder(&mut rng);
    let net = build(&mut b).unwrap();
    let centre = b.add("center", &[2], Init::ZEROS).unwrap();
    let distance = loss::Distance::new(&mut b);
    let mut k = 0;
    for p in params.iter() {
        let n = p.var.elem_count();
        let values: Vec<f64> = (k..k + n).map(|i| (i as f64 * 1.3 + 0.4).sin() * 0.6 + 0.1).collect();
        params.set(&p.name, &Tensor::from_vec(values, p.var.shape(), &Device::Cpu).unwrap()).unwrap();
        k += n;
    }
    let n: usize = 8 * shape.iter().product::<usize>();
    let x: Vec<f64> = (0..n).map(|i| (i as f64 * 0.9).sin() + (i as f64 * 0.31).cos()).collect();
    let x = Tensor::from_vec(x, [&[8], shape].concat(), &Device::Cpu).unwrap();
    let tasks = train::Tasks::new(x, [false, false, false, true].repeat(2), 2).unwrap();
    for bytes in [1, 1 << 20] {
        let result = train::Trainer::within(&params, bytes).gradients(&tasks, |t| {
            let (normal, outlier) = distance.dsvdd(&net(t.x(), Pass::train(t.tasks()))?, &centre)?;
            loss::per_task(&normal, &outlier, t)
        });
        let (got, gradients) = result.unwrap();
        assert!((got - want).abs() < 1e-9 * want, "{got} {want}");
        assert_eq!(gradients.len(), norms.len());
        for ((g, want), p) in gradients.into_iter().zip(norms).zip(params.iter()) {
            let got = g.unwrap().sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap().sqrt();
            assert!((got - want).abs() < 1e-8 * (1.0 + want), "{}: {got} {want}", p.name);
        }
    }
}

#[test]
fn mlp() {
    let build: Build = |b| {
        let net = nets::Mlp::new(b, &nets::MlpConfig::acr(5, &[4], 2))?;
        Ok(Box::new(move |x, pass| net.forward(x, pass)))
    };
    check(build, &[5], MLP.0, &MLP.1);
}

#[test]
fn strided_convnet() {
    let build: Build = |b| {
        let base = nets::ConvNetConfig::omniglot([2, 7, 6]);
        let net = nets::ConvNet::new(b, &nets::ConvNetConfig { filters: vec![3; 2], output: 2, ..base })?;
        Ok(Box::new(move |x, pass| net.forward(x, pass)))
    };
    check(build, &[2, 7, 6], STRIDED.0, &STRIDED.1);
}

#[test]
fn pooled_convnet() {
    let build: Build = |b| {
        let base = nets::ConvNetConfig::cnn4([2, 8, 9]);
        let net = nets::ConvNet::new(b, &nets::ConvNetConfig { filters: vec![3; 2], output: 2, ..base })?;
        Ok(Box::new(move |x, pass| net.forward(x, pass)))
    };
    check(build, &[2, 8, 9], POOLED.0, &POOLED.1);
}
