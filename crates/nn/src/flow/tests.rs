use candle_core::{DType, Device, Tensor};
use zsad_core::rng::stream;

use super::*;
use crate::ParamStore;

fn config(channels: usize, couplings: usize) -> FlowConfig {
    FlowConfig { channels, condition: 4, hidden: Some(6), couplings, clamp: 1.9 }
}

fn flow(config: &FlowConfig) -> (ParamStore, ConditionalFlow) {
    let mut store = ParamStore::new(&Device::Cpu, DType::F64);
    let mut rng = stream(3, &[("purpose", "init")]);
    let flow = ConditionalFlow::new(&mut store.builder(&mut rng), config).unwrap();
    (store, flow)
}

fn wave(shape: &[usize], k: f64) -> Tensor {
    let values = (0..shape.iter().product()).map(|i: usize| 0.5 * (i as f64 * 0.7 + k).sin());
    Tensor::from_vec(values.collect::<Vec<f64>>(), shape, &Device::Cpu).unwrap()
}

fn conditions() -> (Tensor, Tensor) {
    let table = position_embedding(2, 3, 4, DType::F64, &Device::Cpu).unwrap();
    (table, Tensor::new(&[0u32, 5, 4], &Device::Cpu).unwrap())
}

fn values(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_near(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() < tolerance, "{i}: {g} {w}");
    }
}

// import torch, math; torch.set_default_dtype(torch.float64)
// C, D, H, K, n = 5, 4, 6, 2, 3
// def wave(shape, k): return (torch.sin(torch.arange(math.prod(shape)) * 0.7 + k) * 0.5).reshape(shape)
// def posenc(h, w, dim):  # CFLOW's positionalencoding2d, positions first
//     P = torch.zeros(dim, h, w); d = dim // 2; div = torch.exp(torch.arange(0., d, 2) * -(math.log(1e4) / d))
//     pw = torch.arange(0., w).unsqueeze(1); ph = torch.arange(0., h).unsqueeze(1)
//     P[0:d:2] = torch.sin(pw * div).t().unsqueeze(1).repeat(1, h, 1)
//     P[1:d:2] = torch.cos(pw * div).t().unsqueeze(1).repeat(1, h, 1)
//     P[d::2] = torch.sin(ph * div).t().unsqueeze(2).repeat(1, 1, w)
//     P[d+1::2] = torch.cos(ph * div).t().unsqueeze(2).repeat(1, 1, w)
//     return P.reshape(dim, h * w).t()
// table = posenc(2, 3, D); c = table[torch.tensor([0, 5, 4])]
// x = wave((n, C), 0.3); z = x; logdet = torch.zeros(n)
// for k in range(K):  # FrEIA's AllInOneBlock: conditional, SOFTPLUS, permute_soft
//     w1 = torch.cat([wave((H, 3), k + 1), wave((H, D), k + 2)], 1); b1 = wave((H,), k + 3)
//     w2, b2 = wave((4, H), k + 4), wave((4,), k + 5)
//     scale = 0.1 * torch.nn.Softplus(beta=0.5)(8 + wave((C,), k + 6)); off = wave((C,), k + 7)
//     rot = torch.roll(torch.eye(C), k + 1, 0); x1, x2 = z.split([3, 2], 1)
//     a = 0.1 * (torch.relu(torch.cat([x1, c], 1) @ w1.t() + b1) @ w2.t() + b2)
//     s = 1.9 * torch.tanh(a[:, :2]); x2 = x2 * s.exp() + a[:, 2:]
//     z = (torch.cat([x1, x2], 1) * scale + off) @ rot.t()
//     logdet = logdet + s.sum(1) + scale.log().sum()
// print(z[2], logdet, -0.5 * C * math.log(2 * math.pi) - 0.5 * (z ** 2).sum(1) + logdet, table[5])
#[test]
fn the_flow_is_freias() {
    let (store, flow) = flow(&config(5, 2));
    for k in 0..2usize {
        let at = k as f64;
        let set = |name: &str, value: Tensor| store.set(&format!("{k}.{name}"), &value).unwrap();
        set("first.weight", Tensor::cat(&[wave(&[6, 3], at + 1.0), wave(&[6, 4], at + 2.0)], 1).unwrap());
        set("first.bias", wave(&[6], at + 3.0));
        set("second.weight", wave(&[4, 6], at + 4.0));
        set("second.bias", wave(&[4], at + 5.0));
        set("scale", (wave(&[5], at + 6.0) + 8.0).unwrap());
        set("offset", wave(&[5], at + 7.0));
        let rolled: Vec<f64> = (0..25).map(|i| f64::from(u8::from(i % 5 == (i / 5 + 5 - k - 1) % 5))).collect();
        set("rotation", Tensor::from_vec(rolled, (5, 5), &Device::Cpu).unwrap());
    }
    let (table, rows) = conditions();
    let condition = Condition { table: &table, rows: &rows };
    let (z, log_det) = flow.forward(&wave(&[3, 5], 0.3), condition).unwrap();
    assert_near(&values(&z)[10..], &Z, 1e-12);
    assert_near(&values(&log_det), &LOG_DET, 1e-12);
    let likelihood = flow.log_likelihood(&wave(&[3, 5], 0.3), condition).unwrap();
    assert_near(&values(&likelihood), &LIKELIHOOD, 1e-12);
    assert_near(&values(&table)[20..], &EMBEDDING, 1e-12);
}

#[test]
fn the_inverse_undoes_it_exactly() {
    for channels in [2, 5, 16] {
        let (_, flow) = flow(&config(channels, 8));
        let (table, rows) = conditions();
        let condition = Condition { table: &table, rows: &rows };
        let x = (wave(&[3, channels], 0.3) * 4.0).unwrap();
        let (z, _) = flow.forward(&x, condition).unwrap();
        assert!(values(&z).iter().zip(values(&x)).any(|(z, x)| (z - x).abs() > 0.1), "the flow does nothing");
        assert_near(&values(&flow.inverse(&z, condition).unwrap()), &values(&x), 1e-10);
    }
}

#[test]
fn the_log_determinant_is_that_of_the_numeric_jacobian() {
    let (store, flow) = flow(&config(5, 8));
    // Away from the start, where scales are 1.
    for (i, p) in store.trainable().enumerate() {
        let moved = (p.var.as_tensor() + wave(p.var.dims(), i as f64)).unwrap();
        p.var.set(&moved.detach()).unwrap();
    }
    let (table, _) = conditions();
    let row = Tensor::new(&[3u32], &Device::Cpu).unwrap();
    let condition = Condition { table: &table, rows: &row };
    let x = wave(&[1, 5], 0.4);
    let log_det = values(&flow.forward(&x, condition).unwrap().1)[0];
    let step = 1e-5;
    let columns: Vec<Vec<f64>> = (0..5)
        .map(|j| {
            let shifted = |by: f64| {
                let mut v = values(&x);
                v[j] += by;
                values(&flow.forward(&Tensor::from_vec(v, (1, 5), &Device::Cpu).unwrap(), condition).unwrap().0)
            };
            shifted(step).iter().zip(shifted(-step)).map(|(a, b)| (a - b) / (2.0 * step)).collect()
        })
        .collect();
    assert!(log_det.abs() > 0.1);
    assert!((log_det - log_abs_determinant(columns)).abs() < 1e-7, "{log_det}");
}

/// By Gaussian elimination with pivoting.
fn log_abs_determinant(mut rows: Vec<Vec<f64>>) -> f64 {
    let mut sum = 0.0;
    for i in 0..rows.len() {
        let pivot = (i..rows.len()).max_by(|&a, &b| rows[a][i].abs().total_cmp(&rows[b][i].abs())).unwrap();
        rows.swap(i, pivot);
        sum += rows[i][i].abs().ln();
        let (done, below) = rows.split_at_mut(i + 1);
        for row in below {
            let factor = row[i] / done[i][i];
            row.iter_mut().zip(&done[i]).skip(i).for_each(|(v, p)| *v -= factor * p);
        }
    }
    sum
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (store, flow) = flow(&config(4, 2));
    let (table, rows) = conditions();
    let loss = || {
        let condition = Condition { table: &table, rows: &rows };
        flow.log_likelihood(&wave(&[3, 4], 0.3), condition).unwrap().mean_all().unwrap()
    };
    let gradients = loss().backward().unwrap();
    for p in store.trainable() {
        let gradient = values(gradients.get(&p.var).unwrap());
        let before = values(&p.var);
        let at = before.len() / 2;
        let moved = |by: f64| {
            let mut v = before.clone();
            v[at] += by;
            p.var.set(&Tensor::from_vec(v, p.var.dims(), &Device::Cpu).unwrap()).unwrap();
            loss().to_scalar::<f64>().unwrap()
        };
        let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        moved(0.0);
        assert!((gradient[at] - numeric).abs() < 1e-8, "{}: {} {numeric}", p.name, gradient[at]);
    }
}

#[test]
fn rotations_are_orthonormal_and_nothing_narrow_is_taken() {
    let (store, _) = flow(&config(16, 2));
    let rotation = store.get("1.rotation").unwrap().var.as_detached_tensor();
    let product = values(&rotation.matmul(&rotation.t().unwrap()).unwrap());
    let identity: Vec<f64> = (0..256).map(|i| f64::from(u8::from(i % 17 == 0))).collect();
    assert_near(&product, &identity, 1e-12);
    let mut store = ParamStore::new(&Device::Cpu, DType::F64);
    let mut rng = stream(3, &[]);
    assert!(ConditionalFlow::new(&mut store.builder(&mut rng), &config(1, 1)).is_err());
    assert!(position_embedding(2, 2, 6, DType::F64, &Device::Cpu).is_err());
}

const Z: [f64; 5] =
    [0.3063258036256744, -0.28600900986015476, 0.14107707898742994, 0.8977033325945902, 0.774726839501919];
const LOG_DET: [f64; 3] = [-1.95606078608667, -2.021631148069734, -1.9953474839871372];
const LIKELIHOOD: [f64; 3] = [-7.222695757892199, -6.928512057456148, -7.390846321560397];
const EMBEDDING: [f64; 4] = [0.9092974268256817, -0.4161468365471424, 0.8414709848078965, 0.5403023058681398];
