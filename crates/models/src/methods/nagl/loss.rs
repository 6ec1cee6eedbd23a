//! The loss of an episode: whether the image is anomalous, and where.

use candle_core::{DType, Tensor};
use zsad_backbones::LayerShape;
use zsad_backbones::maps::resize_bilinear;
use zsad_nn::Result;

/// Patches whose mean is the image's in training.
const TOP: usize = 20;
/// The weight of what is wanted in the focal loss, whose exponent is 2.
const ALPHA: f64 = 0.25;
/// Of the Dice loss.
const SMOOTH: f64 = 1.0;

/// What maps on a grid are compared by with masks of images.
pub(super) struct Loss {
    grid: LayerShape,
    /// Height and width of the images.
    image: (usize, usize),
    /// What makes so many rows of the grid's, and columns: `[height, rows]`, `[columns, width]`.
    up: (Tensor, Tensor),
}

impl Loss {
    /// Of maps on `grid` for images of `image`, in the type and on the device of `like`.
    pub fn new(grid: LayerShape, image: (usize, usize), like: &Tensor) -> Result<Self> {
        // What a single cell of a line becomes, cell after cell.
        let resized = |from: usize, to: usize| {
            let ones: Vec<f32> = (0..from * from).map(|i| f32::from(u8::from(i / from == i % from))).collect();
            let line = LayerShape { channels: from, height: 1, width: from };
            let values = resize_bilinear(line, &ones, 1, to);
            Tensor::from_vec(values, (from, to), like.device())?.to_dtype(like.dtype())
        };
        let rows = resized(grid.height, image.0)?.t()?.contiguous()?;
        Ok(Loss { grid, image, up: (rows, resized(grid.width, image.1)?) })
    }

    /// Of patches' likeness to `normal` and to anomalous ones, `[cells]` each, where `mask` says (empty: nowhere).
    pub fn of(&self, normal: &Tensor, abnormal: &Tensor, mask: &[u8]) -> Result<Tensor> {
        let map = ((abnormal - normal)?.affine(0.5, 0.5))?;
        let pixels = [self.enlarged(normal)?, self.enlarged(abnormal)?];
        let (height, width) = self.image;
        let wanted: Vec<f32> = match mask.is_empty() {
            true => vec![0.0; height * width],
            false => mask.iter().map(|&m| f32::from(u8::from(m > 0))).collect(),
        };
        let wanted = Tensor::from_vec(wanted, (height, width), normal.device())?.to_dtype(normal.dtype())?;
        let wanted = [wanted.affine(-1.0, 1.0)?, wanted];
        Ok(((image(&map, !mask.is_empty())? + focal(&pixels, &wanted)?)? + dice(&pixels, &wanted)?)?)
    }

    fn enlarged(&self, cells: &Tensor) -> Result<Tensor> {
        let cells = cells.reshape((self.grid.height, self.grid.width))?;
        Ok(self.up.0.matmul(&cells)?.matmul(&self.up.1)?)
    }
}

/// The cross entropy of `[1 − a, a]`, a the mean of the greatest of a map.
fn image(map: &Tensor, anomalous: bool) -> Result<Tensor> {
    let values = map.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[b as usize].total_cmp(&values[a as usize]));
    order.truncate(TOP);
    let a = map.index_select(&Tensor::new(order.as_slice(), map.device())?, 0)?.mean_all()?;
    // ln(e^(1 − a) + e^a) − a = ln(1 + e^(1 − 2a)), and the same with the other one.
    let other = if anomalous { a.affine(-2.0, 1.0)? } else { a.affine(2.0, -1.0)? };
    Ok((other.exp()? + 1.0)?.log()?)
}

/// The mean over both channels and all pixels; values are taken for logits.
fn focal(values: &[Tensor; 2], wanted: &[Tensor; 2]) -> Result<Tensor> {
    let channel = |(x, t): (&Tensor, &Tensor)| {
        // Of the sign of what is wanted: p is then the probability that is given to it.
        let signed = (x * t.affine(2.0, -1.0)?)?;
        let lost = (signed.neg()?.exp()? + 1.0)?.log()?;
        let missed = lost.neg()?.exp()?.affine(-1.0, 1.0)?;
        ((lost * missed.sqr()?)? * t.affine(2.0 * ALPHA - 1.0, 1.0 - ALPHA)?)?.mean_all()
    };
    let [normal, abnormal] = [0, 1].map(|i| channel((&values[i], &wanted[i])));
    Ok(((normal? + abnormal?)? / 2.0)?)
}

/// The sum over both channels, after their softmax.
fn dice(values: &[Tensor; 2], wanted: &[Tensor; 2]) -> Result<Tensor> {
    let abnormal = (((&values[0] - &values[1])?.exp()? + 1.0)?).recip()?;
    let shares = [abnormal.affine(-1.0, 1.0)?, abnormal];
    let channel = |p: &Tensor, t: &Tensor| {
        let both = (p * t)?.sum_all()?.affine(2.0, SMOOTH)?;
        both.div(&((p.sum_all()? + t.sum_all()?)? + SMOOTH)?)?.affine(-1.0, 1.0)
    };
    Ok((channel(&shares[0], &wanted[0])? + channel(&shares[1], &wanted[1])?)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn row(values: &[f64]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    // x, t = torch.tensor([[[.9, .6, .8, .4], [.2, .5, .1, .7]]]), torch.tensor([[[1., 0, 1, 0], [0, 1, 0, 1]]])
    // torchvision.ops.sigmoid_focal_loss(x, t, .25, 2, reduction="mean"); s = x.softmax(1)
    // sum(1 - (2 * (s[0, i] * t[0, i]).sum() + 1) / (s[0, i].sum() + t[0, i].sum() + 1) for i in range(2))
    #[test]
    fn focal_and_dice_are_those_of_the_released_code() {
        let values = [row(&[0.9, 0.6, 0.8, 0.4]), row(&[0.2, 0.5, 0.1, 0.7])];
        let wanted = [row(&[1.0, 0.0, 1.0, 0.0]), row(&[0.0, 1.0, 0.0, 1.0])];
        let value = |loss: Result<Tensor>| loss.unwrap().to_scalar::<f64>().unwrap();
        let found = [value(focal(&values, &wanted)), value(dice(&values, &wanted))];
        assert!((found[0] - 0.118585348).abs() < 1e-8 && (found[1] - 0.647797482).abs() < 1e-8, "{found:?}");
    }

    // m = torch.sin(torch.arange(30.) * .7) / 2 + .5; a = m.topk(20)[0].mean()
    // [F.cross_entropy(torch.stack([1 - a, a])[None], torch.tensor([label])) for label in (0, 1)]
    #[test]
    fn an_image_is_judged_by_its_greatest_patches() {
        let map = row(&(0..30).map(|i| (0.7 * f64::from(i)).sin() / 2.0 + 0.5).collect::<Vec<_>>());
        let found = [false, true].map(|label| image(&map, label).unwrap().to_scalar::<f64>().unwrap());
        assert!(found.iter().zip(IMAGE).all(|(f, w)| (f - w).abs() < 1e-8), "{found:?}");
    }

    const IMAGE: [f64; 2] = [0.959023414252694, 0.4833190818867311];
}
