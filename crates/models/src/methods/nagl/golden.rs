//! The whole against PyTorch: proxies, loss and gradients of an episode, and what no labelled defect comes to.
//!
//! ```python
//! import math, torch, torch.nn as nn, torch.nn.functional as F; torch.set_default_dtype(torch.float64)
//! w = lambda k, *s, f=torch.sin: f(torch.arange(math.prod(s)) * k).reshape(s)
//! class Layer(nn.Module):                          # number i, of 4 values in 2 heads
//!     def __init__(self, b):
//!         super().__init__(); self.a = nn.MultiheadAttention(4, 2); self.n = nn.LayerNorm(4); a, n = self.a, self.n
//!         with torch.no_grad():
//!             a.in_proj_weight.copy_(torch.cat([w(k + b, 4, 4) for k in (.3, .5, .7)])); a.out_proj.weight.copy_(w(.9 + b, 4, 4))
//!             a.in_proj_bias.copy_(torch.cat([w(k + b, 4, f=torch.cos) for k in (.1, .2, .3)]))
//!             a.out_proj.bias.copy_(w(.4 + b, 4, f=torch.cos)); n.weight.copy_(1 + .1 * w(1.1 + b, 4)); n.bias.copy_(.1 * w(1.3 + b, 4))
//!     def forward(self, q, k, v, m=None):
//!         m = None if m is None else (-1e9 * (1 - m)).reshape(1, -1).repeat(len(q), 1)
//!         return self.n(q + self.a(q[:, None], k[:, None], v[:, None], attn_mask=m)[0][:, 0])
//! l = nn.ModuleList([Layer(i * .01) for i in range(4)]); p = nn.Parameter(w(.8, 3, 4)); unit = F.normalize
//! n, q, d = w(.37, 12, 4, f=torch.cos), w(.71, 6, 4), w(.53, 6, 4) + .2; dm = torch.tensor([0., 0, 1, 0, 1, 1])
//! res = lambda x: x - n[(x @ n.T).argmax(1)]; own = lambda layer, x: layer(x, x, x)
//! # pos: DETR's PositionEmbeddingSine(2, normalize=True) of a 2 × 3 grid, masked where its argument is 1
//! r = own(l[1], l[0](p, d + pos(dm), res(d), dm)); z = own(l[3], l[2](r, res(q) + pos(0 * dm), q)); print(z)
//! sn, sa = ((1 + unit(q) @ unit(n).T) / 2).max(1)[0], ((1 + unit(q) @ unit(z).T) / 2).mean(1)
//! # loss: cross entropy of [1 - a, a], a the mean of the map; focal and Dice as in `loss`, of F.interpolate(…, (6, 6), mode="bilinear"),
//! # and m = (torch.arange(36).reshape(6, 6) % 7 < 3) where the query is anomalous
//! ```

use candle_core::{DType, Device, Tensor};
use zsad_backbones::LayerShape;
use zsad_core::FitReport;
use zsad_nn::ParamStore;

use super::likeness::Normals;
use super::loss::Loss;
use super::network::Network;
use super::{Nagl, Trained};
use crate::families::features::testing::maps;
use crate::families::features::{FeatureDetector, View};
use crate::math::Points;

const GRID: LayerShape = LayerShape { channels: 4, height: 2, width: 3 };

fn wave(k: f64, n: usize, f: fn(f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| f(k * i as f64)).collect()
}

fn points(values: Vec<f64>) -> Points<f32> {
    Points::from_values(values.into_iter().map(|v| v as f32).collect(), 4)
}

/// The network of the formula.
fn network() -> Network {
    let params = Nagl { proxies: 3, heads: 2, ..Nagl::default() };
    let network = Network::on(ParamStore::new(&Device::Cpu, DType::F64), &params, 4, 0).unwrap();
    let set = |name: String, shape: &[usize], values: Vec<f64>| {
        network.store.set(&name, &Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap();
    };
    set("proxies".into(), &[3, 4], wave(0.8, 12, f64::sin));
    for (i, layer) in ["residual.cross", "residual.own", "anomaly.cross", "anomaly.own"].into_iter().enumerate() {
        let b = 0.01 * i as f64;
        for (part, k, bias) in [("query", 0.3, 0.1), ("key", 0.5, 0.2), ("value", 0.7, 0.3), ("out", 0.9, 0.4)] {
            set(format!("{layer}.{part}.weight"), &[4, 4], wave(k + b, 16, f64::sin));
            set(format!("{layer}.{part}.bias"), &[4], wave(bias + b, 4, f64::cos));
        }
        let small = |k: f64| wave(k + b, 4, f64::sin).into_iter().map(|v| 0.1 * v);
        set(format!("{layer}.norm.weight"), &[4], small(1.1).map(|v| 1.0 + v).collect());
        set(format!("{layer}.norm.bias"), &[4], small(1.3).collect());
    }
    network
}

#[test]
fn an_episode_and_its_gradients_are_pytorchs() {
    let network = network();
    let normals = Normals::new(&[points(wave(0.37, 48, f64::cos))]);
    let query = points(wave(0.71, 24, f64::sin));
    let image = points(wave(0.53, 24, f64::sin).into_iter().map(|v| v + 0.2).collect());
    let defect = [false, false, true, false, true, true];
    let seen = network.see(&[(&image, Some(&defect))], GRID, &normals).unwrap();
    let proxies = network.residual_proxies(&seen, &defect).unwrap();
    let seen = network.see(&[(&query, None)], GRID, &normals).unwrap();
    let abnormal = network.abnormality(&proxies, &seen).unwrap();
    let near = |found: &[f64], want: &[f64]| {
        assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 2e-6 * w.abs().max(1e-3)), "{found:?} {want:?}");
    };
    let likeness = normals.likeness(&query);
    near(&likeness, &LIKENESS);
    near(&abnormal.to_vec1::<f64>().unwrap(), &ABNORMALITY);
    let normal = Tensor::new(likeness, &Device::Cpu).unwrap();
    let loss = Loss::new(GRID, (6, 6), &normal).unwrap();
    let mask: Vec<u8> = (0..36).map(|i| u8::from(i % 7 < 3)).collect();
    for (mask, (value, lengths)) in [(mask.as_slice(), ANOMALOUS), (&[], NORMAL)] {
        let loss = loss.of(&normal, &abnormal, mask).unwrap();
        let (found, gradients) = network.store.gradients_of(&loss).unwrap();
        near(&[found], &[value]);
        let squares = |name: &str| {
            let of = |(p, g): (&zsad_nn::params::Param, &Option<Tensor>)| {
                let squares = g.as_ref().unwrap().sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
                p.name.starts_with(name).then_some(squares)
            };
            network.store.trainable().zip(&gradients).filter_map(of).sum::<f64>()
        };
        let projections = |layer: &str, of: &str| {
            ["query", "key", "value"].map(|p| squares(&format!("{layer}.{p}.{of}"))).iter().sum::<f64>().sqrt()
        };
        let found = [
            squares("proxies").sqrt(),
            projections("residual.cross", "weight"),
            squares("residual.own.out.weight").sqrt(),
            projections("anomaly.cross", "weight"),
            squares("anomaly.own.norm.weight").sqrt(),
            projections("anomaly.own", "bias"),
        ];
        // Of features in single precision.
        assert!(found.iter().zip(lengths).all(|(f, w)| (f / w - 1.0).abs() < 1e-4), "{found:?} {lengths:?}");
    }
}

const LIKENESS: [f64; 6] = [
    0.9510647977675399,
    0.9916814709155404,
    0.9940671580027498,
    0.9983140831842684,
    0.9989709587803259,
    0.9950061184244356,
];
const ABNORMALITY: [f64; 6] = [
    0.38486336789651926,
    0.6507340155276135,
    0.3253196286906243,
    0.6816783370068888,
    0.3314235859062818,
    0.6372789112062744,
];
/// A loss, and the lengths of its gradients.
const ANOMALOUS: (f64, [f64; 6]) = (
    2.1233182762103526,
    [
        0.00021485465962108177,
        0.00018319858405240564,
        0.0024382450820434674,
        0.001980882993764172,
        0.038600399810253296,
        0.00547342867602845,
    ],
);
const NORMAL: (f64, [f64; 6]) = (
    1.7882911063083013,
    [
        0.00016910353957834813,
        0.00019550158680142925,
        0.0012144330774157836,
        0.0023582479282102855,
        0.031048317353359254,
        0.006197347966316003,
    ],
);

/// Without a labelled defect a map is half of the cosine distance to the nearest patch of the references, whatever was trained.
#[test]
fn without_a_labelled_defect_it_ranks_exactly_as_the_nearest_neighbour_by_cosine() {
    let params = Nagl { top: 0.0, sigma: 0.0, ..Nagl::default() };
    let network = Network::on(ParamStore::new(&Device::Cpu, DType::F32), &params, 4, 0).unwrap();
    let nagl = Trained { params, network, report: FitReport::default() };
    let beside = maps(0..4, |support| nagl.adapt(support)).unwrap();
    let unit = |view: &View| {
        let all = view.ids().iter().flat_map(|&id| {
            let points = super::patches(view.store(), id).unwrap();
            points.rows().map(|row| row.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()).collect::<Vec<_>>()
        });
        let scaled = |row: Vec<f64>| {
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.into_iter().map(|v| v / length).collect::<Vec<_>>()
        };
        all.map(scaled).collect::<Vec<_>>()
    };
    let references = maps(0..4, unit);
    let distance = |x: &Vec<f64>| {
        let cosine = |y: &Vec<f64>| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        1.0 - references.iter().map(cosine).fold(f64::NEG_INFINITY, f64::max)
    };
    // Twelve patches of each of four images.
    let nearest: Vec<f64> = maps(4..8, unit).iter().map(distance).collect();
    let highest = nearest.chunks(12).map(|d| d.iter().copied().fold(0.0, f64::max)).collect::<Vec<_>>();
    let scores = maps(4..8, |batch| nagl.score(&beside, batch)).unwrap().samples;
    assert!(scores.iter().zip(&highest).all(|(s, d)| (2.0 * s - d).abs() < 1e-12), "{scores:?} {highest:?}");
    let order = |values: &[f64]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        order
    };
    assert_eq!(order(&scores), order(&highest));
    let likeness: Vec<f64> = maps(4..8, |batch| {
        let of = |&id: &_| beside.normals.likeness(&super::patches(batch.store(), id).unwrap());
        batch.ids().iter().flat_map(of).collect()
    });
    let patches: Vec<f64> = likeness.iter().map(|&n| super::value(1.0 - n, n)).collect();
    assert_eq!(order(&patches), order(&nearest));
}
