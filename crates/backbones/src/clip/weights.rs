//! CLIP's weights by their parts, for those who compute with them in another way, such as with gradients.

use std::path::Path;

use zsad_core::{Arrays, Result};

use crate::build::Weights;
use crate::transformer::Gelu;
use crate::vit::{Family, HEAD, Naming, Part, Qkv, Tower};

/// A linear layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Values of an input.
    pub inputs: usize,
    /// `[outputs, inputs]`.
    pub weight: Vec<f32>,
    /// `[outputs]`; zeros where there is none.
    pub bias: Vec<f32>,
}

/// A layer norm.
#[derive(Debug, Clone, PartialEq)]
pub struct NormWeights {
    /// `[width]`.
    pub weight: Vec<f32>,
    /// `[width]`.
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub eps: f64,
}

/// A pre-norm block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockWeights {
    /// Before attention.
    pub norm1: NormWeights,
    /// Queries, keys and values, `[3 width, width]`.
    pub qkv: Dense,
    /// Behind attention.
    pub out: Dense,
    /// Before the two layers.
    pub norm2: NormWeights,
    /// The first layer.
    pub fc1: Dense,
    /// The second.
    pub fc2: Dense,
}

/// The last norm of a tower and the projection into the space of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The norm.
    pub norm: NormWeights,
    /// `[embedding, width]`, without bias.
    pub projection: Dense,
}

/// The text tower.
#[derive(Debug, Clone, PartialEq)]
pub struct TextWeights {
    /// Embeddings of words, `[words, width]`.
    pub words: Vec<f32>,
    /// Of positions, `[positions, width]`.
    pub positions: Vec<f32>,
    /// Values of a token.
    pub width: usize,
    /// Heads of attention.
    pub heads: usize,
    /// The blocks, in which a token sees those before it alone.
    pub blocks: Vec<BlockWeights>,
    /// Between a block's layers.
    pub gelu: Gelu,
    /// Behind them.
    pub head: Head,
}

impl TextWeights {
    /// From the weights of a whole CLIP; `path` is for messages.
    ///
    /// # Errors
    /// [`zsad_core::Error::Data`] where an array is missing or of another shape.
    pub fn read(family: Family, arrays: &Arrays, path: &Path) -> Result<Self> {
        let read = Parts::new(family, arrays, path);
        let (weights, names) = (read.weights, read.naming.text());
        let shape = weights.shape(names.words)?;
        let width = match shape.as_slice() {
            &[_, width] if width > 0 && width.is_multiple_of(HEAD) => width,
            _ => {
                let message = format!("`{}` has shape {shape:?}, wanted [words, a multiple of {HEAD}]", names.words);
                return Err(weights.wrong(message));
            }
        };
        let norm = |i: usize| read.naming.part(Tower::Text, i, Part::Norm1).unwrap_or_default();
        let depth = (0..).take_while(|&i| weights.has(&format!("{}.weight", norm(i)))).count();
        Ok(TextWeights {
            words: weights.rows(names.words, width)?.to_vec(),
            positions: weights.rows(names.positions, width)?.to_vec(),
            width,
            heads: width / HEAD,
            blocks: (0..depth.max(1)).map(|i| read.block(i, width)).collect::<Result<_>>()?,
            gelu: family.gelu,
            head: Head { norm: read.norm(names.norm, width)?, projection: read.projection(names.projection, width)? },
        })
    }
}

impl Head {
    /// That of the image tower, from the weights of a whole CLIP; `path` is for messages.
    ///
    /// # Errors
    /// As [`TextWeights::read`].
    pub fn of_images(family: Family, arrays: &Arrays, path: &Path) -> Result<Self> {
        let read = Parts::new(family, arrays, path);
        let norm = read.naming.last_norm();
        let width = read.weights.shape(&format!("{norm}.weight"))?.iter().product();
        let named = read.naming.projection();
        let named = named.ok_or_else(|| read.weights.wrong("has no projection into the space of texts".into()))?;
        Ok(Head { norm: read.norm(norm, width)?, projection: read.projection(named, width)? })
    }
}

struct Parts<'a> {
    weights: Weights<'a>,
    naming: Naming,
    eps: f32,
}

impl<'a> Parts<'a> {
    fn new(family: Family, arrays: &'a Arrays, path: &'a Path) -> Self {
        let naming = Naming::found(family.names.namings(), arrays);
        Parts { weights: Weights { arrays, path }, naming, eps: family.eps }
    }

    fn norm(&self, name: &str, width: usize) -> Result<NormWeights> {
        let norm = self.weights.layer_norm(name, width, self.eps)?;
        Ok(NormWeights { weight: norm.weight, bias: norm.bias, eps: f64::from(self.eps) })
    }

    fn dense(&self, name: &str, inputs: usize, outputs: usize) -> Result<Dense> {
        let weight = self.weights.tensor(&format!("{name}.weight"), &[outputs, inputs])?.to_vec();
        let bias = self.weights.tensor(&format!("{name}.bias"), &[outputs])?.to_vec();
        Ok(Dense { inputs, weight, bias })
    }

    /// A projection without bias, stored as `[out, width]`, or turned.
    fn projection(&self, (name, turned): (&str, bool), width: usize) -> Result<Dense> {
        let (weight, out) = self.weights.straight(name, turned, width)?;
        Ok(Dense { inputs: width, weight, bias: vec![0.0; out] })
    }

    fn block(&self, i: usize, width: usize) -> Result<BlockWeights> {
        let name = |part| self.naming.part(Tower::Text, i, part).unwrap_or_default();
        let qkv = match self.naming.qkv(Tower::Text, i) {
            Qkv::Joint { weight, bias } => Dense {
                inputs: width,
                weight: self.weights.tensor(&weight, &[3 * width, width])?.to_vec(),
                bias: self.weights.tensor(&bias, &[3 * width])?.to_vec(),
            },
            Qkv::Apart(names) => {
                let parts = names.iter().map(|name| self.dense(name, width, width)).collect::<Result<Vec<_>>>()?;
                let (weight, bias): (Vec<_>, Vec<_>) = parts.into_iter().map(|part| (part.weight, part.bias)).unzip();
                Dense { inputs: width, weight: weight.concat(), bias: bias.concat() }
            }
        };
        let fc1 = name(Part::Fc1);
        let hidden = self.weights.shape(&format!("{fc1}.weight"))?.first().copied().unwrap_or(0);
        Ok(BlockWeights {
            norm1: self.norm(&name(Part::Norm1), width)?,
            qkv,
            out: self.dense(&name(Part::Out), width, width)?,
            norm2: self.norm(&name(Part::Norm2), width)?,
            fc1: self.dense(&fc1, width, hidden)?,
            fc2: self.dense(&name(Part::Fc2), hidden, width)?,
        })
    }
}
