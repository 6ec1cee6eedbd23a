//! Vision transformers: patches as tokens, beside them a class token and perhaps registers.
//!
//! Pre-norm blocks; tokens can be taken after any of them, and a second path with another attention can run beside the
//! first. Loads DINOv2 (its authors', timm's and transformers' names) and CLIP's image towers (OpenAI's and OpenCLIP's,
//! transformers').

mod family;
mod layers;
mod load;
mod names;
mod positions;
mod windows;

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use zsad_core::{Error, Result};

pub use family::{Family, Names};
pub(crate) use load::Reader;
pub(crate) use names::{Naming, Part, Qkv, Tower};
pub use positions::Positions;

use crate::transformer::{Attention, Block, LayerNorm, Linear, ROWS, Scratch, Shape, Streams};

/// Values of a head, in every published network of these families.
pub(crate) const HEAD: usize = 64;
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

/// Where tokens are taken: after a block (1 …), of the first path, or of the second once it has begun.
#[derive(Debug, Clone, Copy)]
struct Tap {
    block: usize,
    second: bool,
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
        self.project(&tokens.class())
    }

    /// The last norm and the projection, token by token: `[tokens, width]` → `[tokens, embedding]`.
    pub fn project(&self, tokens: &[f32]) -> Vec<f32> {
        let mut normed = vec![0f32; tokens.len()];
        self.last_norm.run(tokens, &mut normed);
        self.projected(&normed)
    }

    /// The projection alone.
    fn projected(&self, tokens: &[f32]) -> Vec<f32> {
        let Some(projection) = &self.projection else { return tokens.to_vec() };
        let mut out = vec![0f32; tokens.len() / self.width() * projection.outputs()];
        if !tokens.is_empty() {
            projection.run(tokens.len() / self.width(), tokens, &mut out);
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
        let taps: Vec<Tap> = taps.iter().map(|&block| Tap { block, second: second.is_some() }).collect();
        self.tokens(images, (height, width), self.family.positions, &taps, second)
    }

    /// The same with positions brought to size in a way of one's own, and each tap of the path that it names.
    fn tokens(
        &self,
        images: &[f32],
        (height, width): (usize, usize),
        positions: Positions,
        taps: &[Tap],
        second: Option<SecondPath>,
    ) -> Result<Vec<Tokens>> {
        let grid = self.fitting(height, width)?;
        if let Some(Tap { block, .. }) = taps.iter().find(|tap| tap.block == 0 || tap.block > self.depth()) {
            return Err(Error::Config(format!("the network has blocks 1 to {}, not {block}", self.depth())));
        }
        let table = positions.resized(&self.table, self.width(), grid);
        let count = self.prefix() + grid.0 * grid.1;
        let mut out: Vec<Vec<f32>> = vec![Vec::new(); taps.len()];
        let mut streams = self.streams();
        let group = (GROUP / count).max(1) * 3 * height * width;
        for images in images.chunks(group) {
            streams.second = None;
            self.embed_into(images, (height, width), &table, &mut streams.x);
            let shape = self.shape(streams.x.len(), count);
            let last = taps.iter().map(|tap| tap.block).max().unwrap_or(0);
            for (i, block) in self.blocks.iter().enumerate().take(last) {
                let second = second.filter(|path| i >= path.block).map(|path| path.attention);
                block.run(shape, &mut streams, second, &self.scratch);
                for (out, tap) in out.iter_mut().zip(taps).filter(|(_, tap)| tap.block == i + 1) {
                    let beside = streams.second.as_ref().filter(|_| tap.second);
                    out.extend_from_slice(beside.unwrap_or(&streams.x));
                }
            }
        }
        self.give_back(streams);
        Ok(out.into_iter().map(|values| Tokens { tokens: count, width: self.width(), values }).collect())
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
