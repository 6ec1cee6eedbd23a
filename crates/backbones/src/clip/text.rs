//! CLIP's text tower.

use std::path::Path;

use zsad_core::{Arrays, Error, Result};

use crate::build::Weights;
use crate::transformer::{Block, LayerNorm, Linear, Scratch, Shape, Streams};
use crate::vit::{Family, HEAD, Naming, Reader, Tower};

/// A text tower with its weights: token and position embeddings, blocks in which a token sees those before it alone, a norm and a
/// projection of the end token.
#[derive(Debug)]
pub struct TextTower {
    /// `[vocabulary, width]`.
    words: Vec<f32>,
    /// `[context, width]`.
    positions: Vec<f32>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    projection: Linear,
    scratch: Scratch,
}

impl TextTower {
    /// Builds it from the weights of a whole CLIP; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Data`] where an array is missing or of another shape.
    pub fn from_tensors(family: Family, arrays: &Arrays, path: &Path) -> Result<Self> {
        let weights = Weights { arrays, path };
        let naming = Naming::found(family.names.namings(), arrays);
        let names = naming.text();
        let shape = weights.shape(names.words)?;
        let &[_, width] = shape.as_slice() else {
            return Err(weights.wrong(format!("`{}` has shape {shape:?}, wanted [words, width]", names.words)));
        };
        if width == 0 || !width.is_multiple_of(HEAD) {
            return Err(weights.wrong(format!("texts of width {width}, which is no multiple of {HEAD}")));
        }
        let read = Reader { weights, naming, family, tower: Tower::Text };
        Ok(TextTower {
            words: weights.tensor(names.words, &shape)?.to_vec(),
            positions: weights.rows(names.positions, width)?.to_vec(),
            blocks: read.blocks(width)?,
            norm: weights.layer_norm(names.norm, width, family.eps)?,
            projection: weights.projection(names.projection.0, names.projection.1, width)?,
            scratch: Scratch::default(),
        })
    }

    /// Values of a text's vector.
    pub fn embedding(&self) -> usize {
        self.projection.outputs()
    }

    /// The vectors of some texts, of which each is tokens up to its end: `[texts, embedding]`, not of unit length. Runs on the current
    /// rayon pool.
    ///
    /// # Errors
    /// [`Error::Failed`] for a text of no tokens, of more than there are positions, or of tokens that the tower does not know.
    pub fn vectors(&self, texts: &[Vec<u32>]) -> Result<Vec<f32>> {
        let width = self.norm.weight.len();
        let (known, room) = (self.words.len() / width, self.positions.len() / width);
        if let Some(text) =
            texts.iter().find(|t| t.is_empty() || t.len() > room || t.iter().any(|&w| w as usize >= known))
        {
            let message = format!(
                "{} tokens up to {:?}: this tower takes 1 to {room} below {known}",
                text.len(),
                text.iter().max()
            );
            return Err(Error::failed(message));
        }
        // No token sees those behind it, so texts are filled up to the longest alone.
        let tokens = texts.iter().map(Vec::len).max().unwrap_or(0);
        let mut streams = Streams::default();
        for text in texts {
            let filled = text.iter().copied().chain(std::iter::repeat(0)).take(tokens);
            for (word, position) in filled.zip(self.positions.chunks_exact(width)) {
                let word = &self.words[word as usize * width..][..width];
                streams.x.extend(word.iter().zip(position).map(|(w, p)| w + p));
            }
        }
        let shape = Shape { images: texts.len(), tokens, heads: width / HEAD, causal: true };
        self.blocks.iter().for_each(|block| block.run(shape, &mut streams, None, &self.scratch));
        let ends: Vec<f32> = texts
            .iter()
            .zip(streams.x.chunks_exact((tokens * width).max(1)))
            .flat_map(|(text, x)| &x[(text.len() - 1) * width..text.len() * width])
            .copied()
            .collect();
        let mut normed = vec![0f32; ends.len()];
        self.norm.run(&ends, &mut normed);
        let mut out = vec![0f32; texts.len() * self.embedding()];
        if !texts.is_empty() {
            self.projection.run(texts.len(), &normed, &mut out);
        }
        Ok(out)
    }
}
