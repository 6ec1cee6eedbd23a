//! What is trained: proxies that look for what is anomalous in labelled defects, and then for the same in a query.

use candle_core::{Tensor, Var};
use zsad_backbones::LayerShape;
use zsad_core::{Device, Error, Operator, rng::stream};
use zsad_nn::{Init, ParamStore, Result};

use super::Nagl;
use super::attention::{Attention, mask, position};
use super::likeness::Normals;
use crate::math::Points;
use crate::trained::rows::unit;

/// The network with its parameters.
pub(super) struct Network {
    proxies: Var,
    /// Of the proxies with the defects, and with each other.
    residual: [Attention; 2],
    /// Of what came of that with a query, and with itself.
    anomaly: [Attention; 2],
    pub channels: usize,
    pub store: ParamStore,
}

/// The patches of an image, or of several one after the other, as the network sees them: `[patches, channels]` each.
pub(super) struct Seen {
    pub features: Tensor,
    residuals: Tensor,
    position: Tensor,
}

impl Network {
    /// A fresh one for features of so many `channels`, drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Refused`] where they are no multiple of 4 and of the number of heads.
    pub fn new(params: &Nagl, channels: usize, device: Device, seed: u64) -> Result<Self> {
        let store = ParamStore::on(device)?;
        Network::on(store, params, channels, seed)
    }

    pub(super) fn on(mut store: ParamStore, params: &Nagl, channels: usize, seed: u64) -> Result<Self> {
        if !channels.is_multiple_of(4) || !channels.is_multiple_of(params.heads) {
            let why = format!("features of {channels} channels are no multiple of 4 and of {} heads", params.heads);
            return Err(Error::refused(format!("{why}; hint: other `layers`, or another number of `heads`")).into());
        }
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "nagl")]);
        let mut b = store.builder(&mut rng);
        b.operator(Operator::Own);
        let proxies = b.add("proxies", &[params.proxies, channels], Init::Normal(0.0, 1.0))?;
        let mut layer = |name: &str| Attention::new(&mut b.scope(name), channels, params.heads);
        let residual = [layer("residual.cross")?, layer("residual.own")?];
        let anomaly = [layer("anomaly.cross")?, layer("anomaly.own")?];
        Ok(Network { proxies, residual, anomaly, channels, store })
    }

    /// What it sees of images on a `grid` beside their normal references; the cells of a defect have no position of their own.
    pub fn see(&self, images: &[(&Points<f32>, Option<&[bool]>)], grid: LayerShape, normals: &Normals) -> Result<Seen> {
        let (mut features, mut residuals, mut at) = (vec![], vec![], vec![]);
        for (patches, defect) in images {
            features.extend_from_slice(patches.values());
            residuals.extend(normals.residuals(patches));
            at.extend(position(grid, self.channels, |cell| defect.is_some_and(|d| d[cell])));
        }
        let tensor = |values: Vec<f32>| {
            Tensor::from_vec(values, ((), self.channels), self.store.device())?.to_dtype(self.store.dtype())
        };
        Ok(Seen { features: tensor(features)?, residuals: tensor(residuals)?, position: tensor(at)? })
    }

    /// The residual proxies of labelled defects, whose anomalous cells are `defect`: `[proxies, channels]`.
    pub fn residual_proxies(&self, seen: &Seen, defect: &[bool]) -> Result<Tensor> {
        let mask = mask(defect, &seen.features)?;
        let [cross, own] = &self.residual;
        let key = (&seen.features + &seen.position)?;
        own.own(&cross.forward(self.proxies.as_tensor(), &key, &seen.residuals, Some(&mask))?)
    }

    /// How like the anomaly proxies of a query its patches are: the mean of (1 + cos) / 2, `[patches]`.
    pub fn abnormality(&self, residual_proxies: &Tensor, query: &Seen) -> Result<Tensor> {
        let [cross, own] = &self.anomaly;
        let key = (&query.residuals + &query.position)?;
        let proxies = own.own(&cross.forward(residual_proxies, &key, &query.features, None)?)?;
        abnormality(&query.features, &proxies)
    }
}

/// The mean over `proxies` of (1 + cos) / 2 with each of `features`.
fn abnormality(features: &Tensor, proxies: &Tensor) -> Result<Tensor> {
    let middle = unit(proxies)?.mean_keepdim(0)?;
    let cosine = unit(features)?.matmul(&middle.t()?)?.squeeze(1)?;
    Ok(((cosine + 1.0)? / 2.0)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn wave(rows: usize, k: f64) -> Tensor {
        let values = (0..3 * rows).map(|i| (k * i as f64).sin()).collect::<Vec<_>>();
        Tensor::from_vec(values, (rows, 3), &Device::Cpu).unwrap()
    }

    // import torch, torch.nn.functional as F; q = torch.sin(.7 * torch.arange(12.)).reshape(4, 3)
    // p = torch.sin(.9 * torch.arange(6.)).reshape(2, 3); print(((1 + F.normalize(q) @ F.normalize(p).T) / 2).mean(1))
    #[test]
    fn abnormality_is_the_mean_over_the_proxies() {
        let found = abnormality(&wave(4, 0.7), &wave(2, 0.9)).unwrap().to_vec1::<f64>().unwrap();
        let want = [0.519280129, 0.607198743, 0.410874857, 0.521054655];
        assert!(found.iter().zip(want).all(|(f, w)| (f - w).abs() < 1e-8), "{found:?}");
        // With the likeness to normals of the same patches, the released map.
        let normal = [0.997370138, 0.910312595, 0.984132426, 0.997848984];
        let map = [0.260954996, 0.348443074, 0.213371215, 0.261602836];
        assert!(found.iter().zip(normal).zip(map).all(|((a, n), m)| (super::super::value(*a, n) - m).abs() < 1e-8));
    }

    #[test]
    fn channels_that_no_head_divides_are_refused() {
        let refused = Network::new(&Nagl::default(), 10, zsad_core::Device::Cpu, 0).err().unwrap().to_string();
        assert!(refused.contains("10 channels are no multiple of 4 and of 4 heads"), "{refused}");
    }
}
