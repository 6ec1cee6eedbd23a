use super::*;
use candle_core::{Device, Var};

fn codes() -> Tensor {
    let values: Vec<f64> = (0..24).map(|i| (f64::from(i) * 0.7 + 0.3).sin()).collect();
    Tensor::from_vec(values, (2, 4, 3), &Device::Cpu).unwrap()
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10), "{a:?}\n{b:?}");
}

// import torch, numpy as np
// torch.set_default_dtype(torch.float64)
// z = torch.sin(torch.arange(24) * 0.7 + 0.3).view(2, 4, 3).requires_grad_()
// u = torch.nn.functional.normalize(z, dim=-1)
// sim = torch.exp(u @ u.transpose(1, 2) / 0.1)
// denom = (sim.sum(-1) - torch.diagonal(sim, dim1=1, dim2=2))[:, 1:]
// pos = torch.exp((u[:, 1:] * u[:, :1]).sum(-1) / 0.1)
// s = 1 / abs(np.log(1 / 3))
// ln = ((denom.log() - pos.log()) * s).mean(1)
// la = (-(1 - pos / denom).log() * s).mean(1)
// (ln[0] + 0.5 * la[1]).backward()
// print(ln.tolist(), la.tolist(), z.grad.flatten().tolist())
#[test]
fn ntl_equals_torch_in_both_forms() {
    for form in [Implementation::Fused, Implementation::Composed] {
        let z = Var::from_tensor(&codes()).unwrap();
        let (normal, outlier) = Contrastive::by(form, 0.1).losses(&z).unwrap();
        close(&normal.to_vec1().unwrap(), &[1.4980435023644, 0.42882553809266627]);
        close(&outlier.to_vec1().unwrap(), &[4.073870359343959, 4.259691125342368]);
        let loss = (normal.get(0).unwrap() + (outlier.get(1).unwrap() * 0.5).unwrap()).unwrap();
        let gradient = loss.backward().unwrap().remove(&z).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        close(&gradient, &TORCH_GRADIENT);
    }
}

const TORCH_GRADIENT: [f64; 24] = [
    0.07376321922639001,
    0.021773132160552988,
    -0.04045719917496715,
    -1.9571899507380475,
    -2.8171061924213876,
    -2.3520933733104545,
    1.907149894158864,
    -0.7910423067393527,
    -3.117194950401051,
    0.7634207551343115,
    0.21890607475778243,
    -0.42856355307910343,
    0.08341160654550006,
    0.11535233213461037,
    0.09304105348742187,
    -0.25605176177808486,
    0.11201479603337038,
    0.4273990449908633,
    -0.43321106357676237,
    -0.12058329773002238,
    0.2487566772051492,
    -0.08522901014467132,
    -0.11342238143033155,
    -0.08827143446800911,
];

#[test]
fn distance_and_its_gradients_equal_the_composed_form() {
    let run = |form: Implementation| {
        // A transposed view, so that the kernel meets a tensor that is not contiguous.
        let z = Var::from_tensor(&codes().reshape((3, 8)).unwrap()).unwrap();
        let centre = Var::new(&[0.3f64, -0.2, 1.0], &Device::Cpu).unwrap();
        let d = Distance::by(form).squared(&z.t().unwrap(), &centre).unwrap();
        let mut gradients = (d.sqr().unwrap()).sum_all().unwrap().backward().unwrap();
        let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        [flat(d), flat(gradients.remove(&z).unwrap()), flat(gradients.remove(&centre).unwrap())].concat()
    };
    close(&run(Implementation::Fused), &run(Implementation::Composed));
}

#[test]
fn bce_is_finite_and_right_at_large_logits() {
    let logits = Tensor::new(&[-800.0f64, 0.0, 800.0], &Device::Cpu).unwrap();
    let (normal, outlier) = bce(&logits).unwrap();
    close(&normal.to_vec1().unwrap(), &[0.0, 2f64.ln(), 800.0]);
    close(&outlier.to_vec1().unwrap(), &[800.0, 2f64.ln(), 0.0]);
}

#[test]
fn each_sample_pays_its_own_side() {
    let x = Tensor::zeros((4, 1), DType::F32, &Device::Cpu).unwrap();
    let tasks = Tasks::new(x, vec![false, true, true, true], 2).unwrap();
    let normal = Tensor::new(&[1f64, 2.0, 3.0, 4.0], &Device::Cpu).unwrap();
    let outlier = Tensor::new(&[10f64, 20.0, 30.0, f64::INFINITY], &Device::Cpu).unwrap();
    let got = per_task(&normal, &outlier, &tasks).unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(got, [10.5, f64::INFINITY]);
    let e = per_task(&normal.narrow(0, 0, 3).unwrap(), &outlier, &tasks).unwrap_err();
    assert!(e.to_string().contains("4 samples want losses [4], not [3] and [4]"), "{e}");
}
