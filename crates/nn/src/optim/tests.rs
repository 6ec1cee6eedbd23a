//! SGD, learning-rate steps and gradient clipping against PyTorch. Adam's are beside it.

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::{Init, ParamStore};

fn tensor(values: &[f64]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

fn assert_close(got: &Tensor, want: &[f64]) {
    let got = got.to_vec1::<f64>().unwrap();
    assert!(got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?} {want:?}");
}

// import torch
// for momentum, nesterov, wd in [(0.0, False, 0.0), (0.9, False, 0.1), (0.9, True, 0.1)]:
//     p = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
//     o = torch.optim.SGD([p], lr=0.1, momentum=momentum, nesterov=nesterov, weight_decay=wd)
//     s = torch.optim.lr_scheduler.StepLR(o, step_size=2, gamma=0.3)
//     for i in range(5):
//         p.grad = torch.tensor([0.3, -0.1, 2.0], dtype=torch.float64) * (2.0 - i)
//         o.step()
//         s.step()
//     print(p.tolist())
const SGD: [(f64, bool, f64, [f64; 3]); 3] = [
    (0.0, false, 0.0, [0.9243999999999999, -1.9747999999999999, -0.004000000000000038]),
    (0.9, false, 0.1, [0.77627867484093, -1.84108295561696, -0.6794054045394051]),
    (0.9, true, 0.1, [0.7012125852866233, -1.7810982353760634, -1.0504840471271104]),
];

#[test]
fn sgd_and_its_learning_rate_equal_torch() {
    for (momentum, nesterov, weight_decay, want) in SGD {
        let mut params = ParamStore::new(&Device::Cpu, DType::F64);
        let mut rng = zsad_core::rng::stream(0, &[]);
        let var: Var = params.builder(&mut rng).add("p", &[3], Init::ZEROS).unwrap();
        var.set(&tensor(&[1.0, -2.0, 0.5])).unwrap();
        let mut sgd = Sgd::new(&params, SgdConfig { momentum, nesterov, weight_decay });
        let lr = StepLr { base: 0.1, every: 2, gamma: 0.3 };
        for step in 0..5 {
            let gradient = (tensor(&[0.3, -0.1, 2.0]) * (2.0 - step as f64)).unwrap();
            sgd.step(&vec![Some(gradient)], lr.at(step)).unwrap();
        }
        assert_close(&var, &want);
    }
    assert_eq!(StepLr::constant(0.2).at(1_000_000), 0.2);
}

// p, q = (torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2))
// for scale in [1.0, 0.01]:
//     p.grad, q.grad = (torch.tensor(g, dtype=torch.float64) * scale for g in ([3.0, -4.0], [12.0, 0.5]))
//     print(torch.nn.utils.clip_grad_norm_([p, q], 2.0).item(), p.grad.tolist(), q.grad.tolist())
#[test]
fn clipping_equals_torch() {
    for (scale, norm, p, q) in [
        (1.0, 13.009611831257688, [0.4611974297639385, -0.614929906351918], [1.844789719055754, 0.07686623829398975]),
        (0.01, 0.1300961183125769, [0.03, -0.04], [0.12, 0.005]),
    ] {
        let scaled = |values: &[f64]| (tensor(values) * scale).unwrap();
        let mut gradients = vec![Some(scaled(&[3.0, -4.0])), None, Some(scaled(&[12.0, 0.5]))];
        let got = clip_global_norm(&mut gradients, 2.0).unwrap();
        assert!((got - norm).abs() < 1e-12, "{got} {norm}");
        assert_close(gradients[0].as_ref().unwrap(), &p);
        assert_close(gradients[2].as_ref().unwrap(), &q);
        assert!(gradients[1].is_none());
    }
}
