//! What is minimised: functions of logits, and of how alike patches are.

use candle_core::{D, Device, Tensor};
use zsad_backbones::LayerShape;
use zsad_backbones::maps::resize_bilinear;
use zsad_nn::Result;

/// The labels of a mini-batch.
pub(super) struct Labels {
    /// Which images are anomalous.
    pub images: Vec<bool>,
    /// Which patches of each are; `None`: unknown.
    pub patches: Vec<Option<Vec<bool>>>,
}

/// Which patches are anomalous by a mask of the images' size.
pub(super) fn patches(mask: &[f32], (height, width): (usize, usize), (rows, columns): (usize, usize)) -> Vec<bool> {
    let small = resize_bilinear(LayerShape { channels: 1, height, width }, mask, rows, columns);
    small.into_iter().map(|v| v > 0.5).collect()
}

/// The losses of logits: of images, and the two of patches.
pub(super) struct Losses {
    pub images: Tensor,
    pub focal: Tensor,
    pub l1: Tensor,
}

impl Labels {
    /// Of `[images, 1 + patches, 2]`, whole and damaged, the class token first.
    pub fn losses(&self, logits: &Tensor) -> Result<Losses> {
        let device = logits.device();
        let images = focal(&logits.narrow(1, 0, 1)?.squeeze(1)?, &self.images)?.0;
        let known: Vec<u32> = (0..).zip(&self.patches).filter(|(_, p)| p.is_some()).map(|(i, _)| i).collect();
        if known.is_empty() {
            let none = Tensor::zeros((), logits.dtype(), device)?;
            return Ok(Losses { images, focal: none.clone(), l1: none });
        }
        let labels: Vec<bool> = self.patches.iter().flatten().flatten().copied().collect();
        let of = logits.index_select(&Tensor::new(known, device)?, 0)?;
        let of = of.narrow(1, 1, of.dims()[1] - 1)?.reshape((labels.len(), 2))?;
        let (focal, l1) = focal(&of, &labels)?;
        Ok(Losses { images, focal, l1 })
    }

    /// Which patches of image number `i` are normal and which anomalous, `[2, patches]`; zeros where that is unknown.
    pub fn sides(&self, i: usize, patches: usize, device: &Device) -> Result<Tensor> {
        let side = |side: bool| match &self.patches[i] {
            Some(labels) => labels.iter().map(|&label| f32::from(u8::from(label == side))).collect(),
            None => vec![0f32; patches],
        };
        Ok(Tensor::from_vec([side(false), side(true)].concat(), (2, patches), device)?)
    }

    /// Pairs of patches of one image with unlike labels, and with like ones.
    pub fn pairs(&self) -> (f64, f64) {
        let of = |labels: &Vec<bool>| {
            let anomalous = labels.iter().filter(|&&label| label).count() as f64;
            let normal = labels.len() as f64 - anomalous;
            (2.0 * anomalous * normal, anomalous.powi(2) + normal.powi(2))
        };
        self.patches.iter().flatten().map(of).fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))
    }
}

/// The mean of (1 − p)⁴ (− log p) over rows of two logits, p that of the label, and the mean of 1 − p.
fn focal(logits: &Tensor, labels: &[bool]) -> Result<(Tensor, Tensor)> {
    let hot: Vec<f32> = labels.iter().flat_map(|&l| if l { [0.0, 1.0] } else { [1.0, 0.0] }).collect();
    let hot = Tensor::from_vec(hot, (labels.len(), 2), logits.device())?;
    let most = logits.max_keepdim(D::Minus1)?.detach();
    let below = logits.broadcast_sub(&most)?;
    let total = below.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let log = (below.broadcast_sub(&total)? * hot)?.sum(D::Minus1)?;
    let wrong = log.exp()?.affine(-1.0, 1.0)?;
    let focal = (wrong.sqr()?.sqr()? * &log)?.mean_all()?.neg()?;
    Ok((focal, wrong.mean_all()?))
}

/// How alike the patches of each set are, summed over pairs with unlike labels and over those with like ones, `[sets]` each: of unit
/// vectors `[sets, patches, embedding]` and their sides `[sets, 2, patches]`.
pub(super) fn alike(patches: &Tensor, sides: &Tensor) -> Result<(Tensor, Tensor)> {
    let sums = sides.matmul(patches)?;
    let (normal, anomalous) = (sums.narrow(1, 0, 1)?.squeeze(1)?, sums.narrow(1, 1, 1)?.squeeze(1)?);
    let unlike = ((&normal * &anomalous)?.sum(1)? * 2.0)?;
    Ok((unlike, (normal.sqr()?.sum(1)? + anomalous.sqr()?.sum(1)?)?))
}
