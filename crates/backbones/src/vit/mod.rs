//! Vision transformers: patches as tokens, beside them a class token and perhaps registers.
//!
//! Pre-norm blocks; tokens can be taken after any of them, and a second path with another attention can run beside the
//! first. Loads DINOv2 (its authors', timm's and transformers' names) and CLIP's image towers (OpenAI's and OpenCLIP's,
//! transformers').

mod family;
mod load;
mod names;
mod positions;
mod windows;

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use zsad_core::{Error, Result};

pub use family::{Family, Names};
pub(crate) use load::Reader;
pub(crate) use names::{Naming, Tower};
pub use positions::Positions;

use crate::layer::{FeatureMap, LayerShape};
use crate::transformer::{Attention, Block, LayerNorm, Linear, ROWS, Scratch, Shape, Streams};

/// Values of a head, in every published network of these families.
pub(crate) const HEAD: usize = 64;
/// Patches along the side of the largest windows that are a layer.
const LARGEST_WINDOW: usize = 3;
/// Tokens that go through the network at once, about; a fixed number, so that images share the work in one way.
const GROUP: usize = 4096;

/// A vision transformer with its weights.
#[derive(Debug)]
pub struct Vit {
    family: Family,
    patch: usize,
    pixels: ([f32; 3], [f32; 3]),
    /// `[3 · patch · patch]` → `[width]`.
    convolution: Linear,
    /// With its position.
    class: Vec<f32>,
    registers: Vec<f32>,
    /// `[side, side, width]`.
    table: Vec<f32>,
    first_norm: Option<LayerNorm>,
    blocks: Vec<Block>,
    last_norm: LayerNorm,
    projection: Option<Linear>,
    scratch: Scratch,
    /// Buffers that no run is using.
    idle: Mutex<Vec<Streams>>,
}

/// A second path beside the first: from `block` (0 …) on it takes the tokens that come into that block, and adds what this attention
/// over the first path's tokens gives, block by block, without the two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondPath {
    /// The first block that it runs beside.
    pub block: usize,
    /// What it compares.
    pub attention: Attention,
}

/// Tokens of some images: `[images, tokens, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens {
    /// Tokens of an image.
    pub tokens: usize,
    /// Values of a token.
    pub width: usize,
    /// All values.
    pub values: Vec<f32>,
}

impl Vit {
    /// Blocks.
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// Values of a token.
    pub fn width(&self) -> usize {
        self.class.len()
    }

    /// Values of the class token as it is handed out: projected, where there is a projection.
    pub fn embedding(&self) -> usize {
        self.projection.as_ref().map_or(self.width(), Linear::outputs)
    }

    /// Tokens before the patches: the class and the registers.
    pub fn prefix(&self) -> usize {
        1 + self.registers.len() / self.width()
    }

    /// Rows and columns of patches. What is left over at the right and below is not looked at.
    pub fn grid(&self, height: usize, width: usize) -> (usize, usize) {
        (height / self.patch, width / self.patch)
    }

    /// The tokens that come into the first block, for images `[n, 3, height, width]` in 0 … 1.
    ///
    /// # Errors
    /// [`Error::Refused`] for images smaller than a patch.
    pub fn embed(&self, images: &[f32], height: usize, width: usize) -> Result<Tokens> {
        let grid = self.fitting(height, width)?;
        let table = self.family.positions.resized(&self.table, self.width(), grid);
        let mut x = Vec::new();
        self.embed_into(images, (height, width), &table, &mut x);
        Ok(Tokens { tokens: self.prefix() + grid.0 * grid.1, width: self.width(), values: x })
    }

    /// The tokens after all blocks.
    pub fn blocks(&self, tokens: Tokens) -> Tokens {
        let mut streams = self.streams();
        (streams.x, streams.second) = (tokens.values, None);
        let shape = self.shape(streams.x.len(), tokens.tokens);
        self.blocks.iter().for_each(|block| block.run(shape, &mut streams, None, &self.scratch));
        let values = std::mem::take(&mut streams.x);
        self.give_back(streams);
        Tokens { values, ..tokens }
    }

    /// The class tokens of the last block, normed and projected: `[images, embedding]`.
    pub fn class(&self, tokens: &Tokens) -> Vec<f32> {
        let first = tokens.values.chunks_exact(tokens.tokens * tokens.width);
        self.project(&first.flat_map(|image| &image[..tokens.width]).copied().collect::<Vec<_>>())
    }

    /// The last norm and the projection, token by token: `[tokens, width]` → `[tokens, embedding]`.
    pub fn project(&self, tokens: &[f32]) -> Vec<f32> {
        let mut normed = vec![0f32; tokens.len()];
        self.last_norm.run(tokens, &mut normed);
        let Some(projection) = &self.projection else { return normed };
        let mut out = vec![0f32; tokens.len() / self.width() * projection.outputs()];
        if !tokens.is_empty() {
            projection.run(tokens.len() / self.width(), &normed, &mut out);
        }
        out
    }

    /// The tokens after each of the blocks `taps` (1 …), in this order; those of the second path, where one is asked for and has begun.
    ///
    /// # Errors
    /// [`Error::Refused`] for images smaller than a patch, [`Error::Config`] for a block that the network does not have.
    pub fn run(
        &self,
        images: &[f32],
        (height, width): (usize, usize),
        taps: &[usize],
        second: Option<SecondPath>,
    ) -> Result<Vec<Tokens>> {
        let grid = self.fitting(height, width)?;
        if let Some(tap) = taps.iter().find(|&&tap| tap == 0 || tap > self.depth()) {
            return Err(Error::Config(format!("the network has blocks 1 to {}, not {tap}", self.depth())));
        }
        let table = self.family.positions.resized(&self.table, self.width(), grid);
        let count = self.prefix() + grid.0 * grid.1;
        let mut out: Vec<Vec<f32>> = vec![Vec::new(); taps.len()];
        let mut streams = self.streams();
        let group = (GROUP / count).max(1) * 3 * height * width;
        for images in images.chunks(group) {
            streams.second = None;
            self.embed_into(images, (height, width), &table, &mut streams.x);
            let shape = self.shape(streams.x.len(), count);
            for (i, block) in self.blocks.iter().enumerate().take(taps.iter().copied().max().unwrap_or(0)) {
                let second = second.filter(|path| i >= path.block).map(|path| path.attention);
                block.run(shape, &mut streams, second, &self.scratch);
                for (out, _) in out.iter_mut().zip(taps).filter(|(_, tap)| **tap == i + 1) {
                    out.extend_from_slice(streams.second.as_ref().unwrap_or(&streams.x));
                }
            }
        }
        self.give_back(streams);
        Ok(out.into_iter().map(|values| Tokens { tokens: count, width: self.width(), values }).collect())
    }

    /// The shapes of all layers: patches after every block, then the class token; and behind these what windows of 2 × 2 and of 3 × 3
    /// patches give by themselves, as far as they fit.
    pub(crate) fn layer_shapes(&self, height: usize, width: usize) -> Vec<(usize, LayerShape)> {
        let (rows, columns) = self.grid(height, width);
        let patches = LayerShape { channels: self.width(), height: rows, width: columns };
        let embedding = |height, width| LayerShape { channels: self.embedding(), height, width };
        let windows = (2..=LARGEST_WINDOW).filter(|&side| side <= rows.min(columns));
        let windows = windows.map(|side| (self.depth() + side, embedding(rows + 1 - side, columns + 1 - side)));
        let class = (self.depth() + 1, embedding(1, 1));
        (1..=self.depth()).map(|i| (i, patches)).chain([class]).chain(windows).collect()
    }

    /// The outputs of `layers`, which are numbered as in [`Vit::layer_shapes`].
    ///
    /// # Errors
    /// As [`Vit::run`].
    pub fn maps(&self, images: &[f32], size: (usize, usize), layers: &[usize]) -> Result<Vec<FeatureMap>> {
        let windows = |layer: usize| layer.checked_sub(self.depth()).filter(|&side| side > 1);
        // A layer of windows needs no tap.
        let tapped = layers.iter().filter(|&&layer| windows(layer).is_none());
        let taps: Vec<usize> = tapped.map(|&layer| layer.min(self.depth())).collect();
        let (grid, prefix) = (self.grid(size.0, size.1), self.prefix());
        let map = |layer: usize, tokens: Tokens| {
            if layer > self.depth() {
                let shape = LayerShape { channels: self.embedding(), height: 1, width: 1 };
                return FeatureMap { shape, values: self.class(&tokens) };
            }
            let shape = LayerShape { channels: self.width(), height: grid.0, width: grid.1 };
            let mut values = vec![0f32; tokens.values.len() / tokens.tokens * shape.positions()];
            let images = tokens.values.par_chunks_exact(tokens.tokens * tokens.width);
            values.par_chunks_exact_mut(shape.len()).zip(images).for_each(|(map, image)| {
                let mut patches = image[prefix * tokens.width..].to_vec();
                if self.family.normed {
                    self.last_norm.run(&image[prefix * tokens.width..], &mut patches);
                }
                for (p, patch) in patches.chunks_exact(tokens.width).enumerate() {
                    for (to, v) in map[p..].iter_mut().step_by(shape.positions()).zip(patch) {
                        *to = *v;
                    }
                }
            });
            FeatureMap { shape, values }
        };
        let mut tokens = self.run(images, size, &taps, None)?.into_iter();
        let of = |&layer: &usize| match windows(layer) {
            Some(side) => self.windows(images, size, side),
            None => tokens.next().map(|tokens| map(layer, tokens)).ok_or_else(|| Error::failed("a tap is missing")),
        };
        layers.iter().map(of).collect()
    }

    fn fitting(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let grid = self.grid(height, width);
        if grid.0 * grid.1 == 0 {
            let patch = self.patch;
            return Err(Error::refused(format!("no patch of {patch} × {patch} in images of {height} × {width}")));
        }
        Ok(grid)
    }

    fn shape(&self, values: usize, tokens: usize) -> Shape {
        Shape { images: values / (tokens * self.width()), tokens, heads: self.width() / HEAD, causal: false }
    }

    fn streams(&self) -> Streams {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, streams: Streams) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(streams);
    }

    /// Fills `x` with the tokens of `images`.
    fn embed_into(&self, images: &[f32], (height, width): (usize, usize), table: &[f32], x: &mut Vec<f32>) {
        let ((rows, columns), d, size) = (self.grid(height, width), self.width(), 3 * height * width);
        let (patches, prefix, patch) = (rows * columns, self.prefix(), self.patch);
        let inputs = self.convolution.inputs();
        x.resize(images.len() / size * (prefix + patches) * d, 0.0);
        let tokens = x.par_chunks_exact_mut((prefix + patches) * d).zip(images.par_chunks_exact(size));
        tokens.for_each(|(tokens, image)| {
            let (front, tokens) = tokens.split_at_mut(prefix * d);
            front[..d].copy_from_slice(&self.class);
            front[d..].copy_from_slice(&self.registers);
            tokens.par_chunks_mut(ROWS * d).enumerate().for_each(|(chunk, tokens)| {
                let (first, count) = (chunk * ROWS, tokens.len() / d);
                self.scratch.with(count * inputs, |windows| {
                    for (p, window) in (first..).zip(windows.chunks_exact_mut(inputs)) {
                        let corner = p / columns * patch * width + p % columns * patch;
                        for (line, to) in window.chunks_exact_mut(patch).enumerate() {
                            let (c, y) = (line / patch, line % patch);
                            let from = &image[c * height * width + corner + y * width..][..patch];
                            let (scale, shift) = (self.pixels.0[c], self.pixels.1[c]);
                            to.iter_mut().zip(from).for_each(|(to, v)| *to = v * scale + shift);
                        }
                    }
                    self.convolution.run(count, windows, tokens);
                });
                let positions = &table[first * d..][..count * d];
                tokens.iter_mut().zip(positions).for_each(|(v, p)| *v += p);
            });
            if let Some(norm) = &self.first_norm {
                norm.run_in_place(front);
                tokens.par_chunks_mut(ROWS * d).for_each(|rows| norm.run_in_place(rows));
            }
        });
    }
}
