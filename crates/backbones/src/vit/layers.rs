//! The layers of a vision transformer by their numbers, as maps.

use rayon::prelude::*;
use zsad_core::{Error, Result};

use super::{Positions, SecondPath, Tap, Tokens, Vit};
use crate::layer::{FeatureMap, LayerShape};
use crate::transformer::Attention;

/// Patches along the side of the largest windows that are a layer.
const LARGEST_WINDOW: usize = 3;

/// What a number stands for, in a network of `depth` blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// 1 … depth: patches after a block.
    Patches(usize),
    /// depth + 1: the class token after all blocks, normed and projected.
    Class,
    /// depth + 2 and 3: windows of so many patches a side, each by itself.
    Windows(usize),
    /// depth + 4: as [`Layer::Class`] without the norm.
    Bare,
    /// depth + 4 + block: patches of the path of values beside values, normed and projected.
    Surgery(usize),
    /// 2 · depth + 4 + block: the class token and the patches after a block, in one row.
    Tokens(usize),
}

impl Layer {
    fn of(number: usize, depth: usize) -> Option<Self> {
        let windows = depth + LARGEST_WINDOW;
        match number {
            0 => None,
            n if n <= depth => Some(Layer::Patches(n)),
            n if n == depth + 1 => Some(Layer::Class),
            n if n <= windows => Some(Layer::Windows(n - depth)),
            n if n == windows + 1 => Some(Layer::Bare),
            n if n <= windows + 1 + depth => Some(Layer::Surgery(n - windows - 1)),
            n if n <= windows + 1 + 2 * depth => Some(Layer::Tokens(n - windows - 1 - depth)),
            _ => None,
        }
    }

    /// The tokens that it is made of, if a run with all patches gives them.
    fn tap(self, depth: usize) -> Option<Tap> {
        match self {
            Layer::Windows(_) => None,
            Layer::Patches(block) | Layer::Tokens(block) => Some(Tap { block, second: false }),
            Layer::Class | Layer::Bare => Some(Tap { block: depth, second: false }),
            Layer::Surgery(block) => Some(Tap { block, second: true }),
        }
    }

    /// Whether positions are resized as AnomalyCLIP and AF-CLIP do it.
    fn bilinear(self) -> bool {
        matches!(self, Layer::Bare | Layer::Surgery(_) | Layer::Tokens(_))
    }
}

impl Vit {
    /// The shapes of all layers: patches after every block, then the class token; behind these what windows of 2 × 2 and of 3 × 3
    /// patches give by themselves, as far as they fit; then, with positions resized bilinearly, the class token projected without the last
    /// norm, for every block the patches of the path of values beside values (normed and projected; see [`Vit::surgery`]), and for every
    /// block all tokens in one row.
    pub(crate) fn layer_shapes(&self, height: usize, width: usize) -> Vec<(usize, LayerShape)> {
        let all = (1..=LARGEST_WINDOW + 1 + 3 * self.depth())
            .filter_map(|number| Some((number, Layer::of(number, self.depth())?)));
        let (rows, columns) = self.grid(height, width);
        let fits = |layer: Layer| !matches!(layer, Layer::Windows(side) if side > rows.min(columns));
        all.filter(|(_, layer)| fits(*layer))
            .map(|(number, layer)| (number, self.layer_shape(layer, (rows, columns))))
            .collect()
    }

    fn layer_shape(&self, layer: Layer, (rows, columns): (usize, usize)) -> LayerShape {
        let (width, embedding) = (self.width(), self.embedding());
        let (channels, height, width) = match layer {
            Layer::Patches(_) => (width, rows, columns),
            Layer::Class | Layer::Bare => (embedding, 1, 1),
            Layer::Windows(side) => (embedding, rows + 1 - side, columns + 1 - side),
            Layer::Surgery(_) => (embedding, rows, columns),
            Layer::Tokens(_) => (width, 1, self.prefix() + rows * columns),
        };
        LayerShape { channels, height, width }
    }

    /// The path beside the first in AnomalyCLIP: values compared with values, from a quarter of the depth on (block 6 of 24).
    pub fn surgery(&self) -> SecondPath {
        SecondPath { block: (self.depth() / 4).saturating_sub(1), attention: Attention::Value }
    }

    /// The outputs of `layers`, which are numbered as in [`Vit::layer_shapes`].
    ///
    /// # Errors
    /// As [`Vit::run`].
    pub fn maps(&self, images: &[f32], size: (usize, usize), layers: &[usize]) -> Result<Vec<FeatureMap>> {
        let of = |&number: &usize| {
            let missing = || Error::Config(format!("a network of {} blocks has no layer {number}", self.depth()));
            Layer::of(number, self.depth()).ok_or_else(missing)
        };
        let layers: Vec<Layer> = layers.iter().map(of).collect::<Result<_>>()?;
        let mut found: Vec<Option<FeatureMap>> = vec![None; layers.len()];
        for (bilinear, positions) in [(false, self.family.positions), (true, Positions::Bilinear)] {
            let wanted = layers.iter().enumerate().filter(|(_, layer)| layer.bilinear() == bilinear);
            let tapped = wanted.filter_map(|(i, layer)| Some((i, layer.tap(self.depth())?)));
            let (places, taps): (Vec<usize>, Vec<Tap>) = tapped.unzip();
            if taps.is_empty() {
                continue;
            }
            let second = taps.iter().any(|tap| tap.second).then(|| self.surgery());
            for (i, tokens) in places.into_iter().zip(self.tokens(images, size, positions, &taps, second)?) {
                found[i] = Some(self.map(layers[i], tokens, self.grid(size.0, size.1)));
            }
        }
        let with_windows = found.into_iter().zip(&layers).map(|(map, layer)| match (map, layer) {
            (Some(map), _) => Ok(map),
            (None, Layer::Windows(side)) => self.windows(images, size, *side),
            (None, _) => Err(Error::failed("a tap is missing")),
        });
        with_windows.collect()
    }

    fn map(&self, layer: Layer, tokens: Tokens, grid: (usize, usize)) -> FeatureMap {
        let (shape, d) = (self.layer_shape(layer, grid), tokens.width);
        match layer {
            Layer::Class => return FeatureMap { shape, values: self.class(&tokens) },
            Layer::Bare => return FeatureMap { shape, values: self.projected(&tokens.class()) },
            _ => {}
        }
        let first = if matches!(layer, Layer::Tokens(_)) { 0 } else { self.prefix() * d };
        let mut values = vec![0f32; tokens.values.len() / (tokens.tokens * d) * shape.len()];
        let images = tokens.values.par_chunks_exact(tokens.tokens * d);
        values.par_chunks_exact_mut(shape.len()).zip(images).for_each(|(map, image)| {
            let mut rows = image[first..].to_vec();
            match layer {
                Layer::Surgery(_) => rows = self.project(&rows),
                Layer::Patches(_) if self.family.normed => self.last_norm.run(&image[first..], &mut rows),
                _ => {}
            }
            for (p, row) in rows.chunks_exact(shape.channels).enumerate() {
                map[p..].iter_mut().step_by(shape.positions()).zip(row).for_each(|(to, v)| *to = *v);
            }
        });
        FeatureMap { shape, values }
    }
}

impl Tokens {
    /// The first token of every image, one after the other.
    pub(super) fn class(&self) -> Vec<f32> {
        let images = self.values.chunks_exact(self.tokens * self.width);
        images.flat_map(|image| &image[..self.width]).copied().collect()
    }
}
