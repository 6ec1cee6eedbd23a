//! A block: attention and two layers, each behind a norm and added to what came in.

use rayon::prelude::*;

use super::attention::{Attend, Attention};
use super::norm::LayerNorm;
use super::pointwise::Gelu;
use super::product::{Linear, ROWS, Scratch};
use crate::activation::SharedMut;

/// Images, tokens of each, heads, and whether a token sees those before it alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub images: usize,
    pub tokens: usize,
    pub heads: usize,
    pub causal: bool,
}

/// What goes through the blocks, and the buffers between their parts.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// The tokens: `[images · tokens, width]`.
    pub x: Vec<f32>,
    /// Those of the second path, once it has begun.
    pub second: Option<Vec<f32>>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
}

/// One block. Layer scale is part of the layers behind which it stands.
#[derive(Debug)]
pub(crate) struct Block {
    pub norm1: LayerNorm,
    pub qkv: Linear,
    pub out: Linear,
    pub norm2: LayerNorm,
    pub fc1: Linear,
    pub fc2: Linear,
    pub gelu: Gelu,
}

impl Block {
    /// Runs on the current rayon pool. With `second` the second path goes on by this attention over the tokens of the first: without
    /// the two layers, from a copy of the first where it begins.
    pub fn run(&self, shape: Shape, streams: &mut Streams, second: Option<Attention>, scratch: &Scratch) {
        let width = self.out.outputs();
        let Streams { x, second: other, qkv, attended } = streams;
        grow(qkv, 3 * x.len());
        grow(attended, x.len());
        x.par_chunks(ROWS * width).zip(qkv.par_chunks_mut(ROWS * 3 * width)).for_each(|(x, qkv)| {
            scratch.with(x.len(), |normed| {
                self.norm1.run(x, normed);
                self.qkv.run(x.len() / width, normed, qkv);
            });
        });
        if let Some(attention) = second {
            let other = other.get_or_insert_with(|| x.clone());
            self.attend(shape, attention, qkv, attended, scratch);
            other.par_chunks_mut(ROWS * width).zip(attended.par_chunks(ROWS * width)).for_each(|(x, attended)| {
                scratch.with(x.len(), |y| {
                    self.out.run(x.len() / width, attended, y);
                    add(x, y);
                });
            });
        }
        self.attend(shape, Attention::QueryKey, qkv, attended, scratch);
        let hidden = self.fc1.outputs();
        x.par_chunks_mut(ROWS * width).zip(attended.par_chunks(ROWS * width)).for_each(|(x, attended)| {
            let rows = x.len() / width;
            scratch.with(x.len() + rows * hidden, |space| {
                let (y, hidden) = space.split_at_mut(x.len());
                self.out.run(rows, attended, y);
                add(x, y);
                self.norm2.run(x, y);
                self.fc1.run(rows, y, hidden);
                self.gelu.apply(hidden);
                self.fc2.run(rows, hidden, y);
                add(x, y);
            });
        });
    }

    /// What every token takes from the others: `[images · tokens, width]`.
    fn attend(&self, shape: Shape, attention: Attention, qkv: &[f32], attended: &mut [f32], scratch: &Scratch) {
        let (width, Shape { images, tokens, heads, causal }) = (self.out.outputs(), shape);
        assert!(attended.len() >= images * tokens * width);
        let out = SharedMut(attended.as_mut_ptr());
        (0..images * heads).into_par_iter().for_each(|task| {
            let (image, head) = (task / heads, task % heads);
            let qkv = &qkv[image * tokens * 3 * width..(image + 1) * tokens * 3 * width];
            let head = Attend { qkv, tokens, width, head_width: width / heads, head, causal };
            let to = SharedMut(out.get().wrapping_add(image * tokens * width));
            // SAFETY: each task writes the columns of one head in the rows of one image; the assertion bounds them.
            scratch.with(head.space(), |space| unsafe { head.run(attention, space, to) });
        });
    }
}

/// Makes a buffer exactly `len` long; it keeps what it held.
fn grow(buffer: &mut Vec<f32>, len: usize) {
    buffer.resize(len, 0.0);
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}
