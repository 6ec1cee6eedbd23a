//! What small windows of an image give by themselves (WinCLIP).

use zsad_core::Result;

use super::{GROUP, Tokens, Vit};
use crate::layer::{FeatureMap, LayerShape};

impl Vit {
    /// The embedding of every window of `side` × `side` patches, one at each position: its patches with their positions in the whole
    /// image, and the class token, go through all blocks without the others.
    pub(super) fn windows(&self, images: &[f32], (height, width): (usize, usize), side: usize) -> Result<FeatureMap> {
        let embedded = self.embed(images, height, width)?;
        let ((rows, columns), d, prefix) = (self.grid(height, width), self.width(), self.prefix());
        let shape = LayerShape { channels: self.embedding(), height: rows + 1 - side, width: columns + 1 - side };
        let (tokens, positions) = (prefix + side * side, shape.positions());
        let mut values = vec![0f32; embedded.values.len() / (embedded.tokens * d) * shape.len()];
        let each = embedded.values.chunks_exact(embedded.tokens * d).zip(values.chunks_exact_mut(shape.len()));
        for (image, map) in each {
            let (front, patches) = image.split_at(prefix * d);
            let all: Vec<usize> = (0..positions).collect();
            for group in all.chunks(GROUP / tokens) {
                let mut x = Vec::with_capacity(group.len() * tokens * d);
                for position in group {
                    x.extend_from_slice(front);
                    for row in 0..side {
                        let first = (position / shape.width + row) * columns + position % shape.width;
                        x.extend_from_slice(&patches[first * d..(first + side) * d]);
                    }
                }
                let classes = self.class(&self.blocks(Tokens { tokens, width: d, values: x }));
                for (position, class) in group.iter().zip(classes.chunks_exact(shape.channels)) {
                    map[*position..].iter_mut().step_by(positions).zip(class).for_each(|(to, v)| *to = *v);
                }
            }
        }
        Ok(FeatureMap { shape, values })
    }
}
