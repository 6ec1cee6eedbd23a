//! What is minimised, image by image.

use candle_core::{Device, Tensor, Var};
use zsad_backbones::LayerShape;
use zsad_backbones::maps::resize_bilinear;
use zsad_nn::Result;

use crate::families::prompts::softmax;

/// What labels are drawn together by, and what is added to probabilities: the focal loss's `smooth`.
const SMOOTH: f64 = 1e-5;

/// One image's part.
pub(super) struct Example<'a> {
    /// The class token, of unit length: `[1, embedding]`.
    pub class: Tensor,
    /// Patches of each block that is looked at, of unit length: `[positions, embedding]`.
    pub patches: Vec<Tensor>,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
    /// Whether it is an anomaly.
    pub anomalous: bool,
    /// Where it is, at the image's size; `None`: unknown.
    pub mask: Option<&'a [f32]>,
}

/// The loss of a mini-batch.
pub(super) struct Objective {
    pub temperature: f64,
    pub lambda: f64,
    /// Height and width of the images.
    pub size: (usize, usize),
    /// Images of the mini-batch.
    pub images: usize,
    /// Those with a mask.
    pub masked: usize,
}

impl Objective {
    /// An image's share of the loss, and its gradient by `directions` `[2, embedding]`, row by row.
    pub fn share(&self, example: &Example, directions: &Tensor) -> Result<(f64, Vec<f32>)> {
        let directions = Var::from_tensor(&directions.detach())?;
        let image = (self.cross_entropy(example, &directions)? / self.images as f64)?;
        let loss = match example.mask {
            None => image,
            Some(mask) => {
                let mut loss = image;
                for patches in &example.patches {
                    let terms = self.map_terms(patches, example.grid, mask, &directions)?;
                    let sum = ((&terms.focal + &terms.dice_damaged)? + &terms.dice_whole)?;
                    loss = (loss + (sum * (self.lambda / self.masked as f64))?)?;
                }
                loss
            }
        };
        let gradients = loss.backward()?;
        let gradient = gradients.get(&directions).map(|g| g.flatten_all()?.to_vec1::<f32>()).transpose()?;
        let none = || vec![0.0; directions.elem_count()];
        Ok((f64::from(loss.to_scalar::<f32>()?), gradient.unwrap_or_else(none)))
    }

    /// − log p of the image's label.
    pub fn cross_entropy(&self, example: &Example, directions: &Tensor) -> Result<Tensor> {
        let logits = (example.class.matmul(&directions.t()?)? / self.temperature)?.squeeze(0)?;
        let most = logits.max(0)?.detach();
        let total = (logits.broadcast_sub(&most)?.exp()?.sum(0)?.log()? + most)?;
        Ok((total - logits.get(usize::from(example.anomalous))?)?)
    }

    /// The losses of one block's map; the cross-entropy has no part in them.
    pub fn map_terms(&self, patches: &Tensor, grid: (usize, usize), mask: &[f32], directions: &Tensor) -> Result<Map> {
        let probabilities = softmax(&(patches.matmul(&directions.t()?)? / self.temperature)?)?;
        let (height, width) = self.size;
        let device = patches.device();
        let (down, across) = (resizing(grid.0, height, device)?, resizing(grid.1, width, device)?.t()?.contiguous()?);
        let plane = |of: usize| -> Result<Tensor> {
            let small = probabilities.narrow(1, of, 1)?.reshape(grid)?;
            Ok(down.matmul(&small)?.matmul(&across)?)
        };
        let (whole, damaged) = (plane(0)?, plane(1)?);
        let mask = Tensor::from_slice(mask, self.size, device)?;
        let rest = mask.affine(-1.0, 1.0)?;
        // The label's own class has 1 − ε, the other ε.
        let weight = |of: &Tensor| of.affine(1.0 - 2.0 * SMOOTH, SMOOTH);
        let right = (((&damaged * weight(&mask)?)? + (&whole * weight(&rest)?)?)? + SMOOTH)?;
        let focal = (right.affine(-1.0, 1.0)?.sqr()? * right.log()?)?.mean_all()?.neg()?;
        Ok(Map { focal, dice_damaged: dice(&damaged, &mask)?, dice_whole: dice(&whole, &rest)? })
    }
}

/// The losses of one map.
pub(super) struct Map {
    pub focal: Tensor,
    pub dice_damaged: Tensor,
    pub dice_whole: Tensor,
}

/// 1 − (2 |A ∩ B| + 1) / (|A| + |B| + 1).
fn dice(values: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let shared = ((values * mask)?.sum_all()? * 2.0)?;
    let all = (values.sum_all()? + mask.sum_all()?)?;
    Ok(((shared + 1.0)? / (all + 1.0)?)?.affine(-1.0, 1.0)?)
}

/// The matrix `[to, from]` that resizes bilinearly, corners of pixels aligned.
fn resizing(from: usize, to: usize, device: &Device) -> Result<Tensor> {
    let identity: Vec<f32> = (0..from * from).map(|i| f32::from(u8::from(i / from == i % from))).collect();
    let columns = resize_bilinear(LayerShape { channels: from, height: from, width: 1 }, &identity, to, 1);
    Ok(Tensor::from_vec(columns, (from, to), device)?.t()?.contiguous()?)
}
