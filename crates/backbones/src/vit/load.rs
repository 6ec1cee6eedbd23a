//! A vision transformer from named weights: depth, width, patch and table are read from their shapes.

use std::path::Path;

use zsad_core::{Arrays, Result};

use super::family::Family;
use super::names::{Naming, Part, Qkv, Tower};
use super::{HEAD, Vit};
use crate::build::Weights;
use crate::transformer::{Block, LayerNorm, Linear};

impl Vit {
    /// Builds the network from named weights; `pixels` is what a pixel in 0 … 1 is multiplied by and what is added to it, per
    /// channel; `path` is for messages.
    ///
    /// # Errors
    /// [`zsad_core::Error::Data`] where an array is missing or of another shape.
    pub fn from_tensors(family: Family, pixels: ([f32; 3], [f32; 3]), arrays: &Arrays, path: &Path) -> Result<Self> {
        let weights = Weights { arrays, path };
        let naming = Naming::found(family.names.namings(), weights.arrays);
        let read = Reader { weights, naming, family, tower: Tower::Image };
        let shape = weights.shape(naming.patch())?;
        let &[width, 3, patch, across] = shape.as_slice() else {
            return Err(
                weights.wrong(format!("`{}` has shape {shape:?}, wanted [width, 3, patch, patch]", naming.patch()))
            );
        };
        if patch != across || patch == 0 || width == 0 || !width.is_multiple_of(HEAD) {
            return Err(
                weights.wrong(format!("no patches of {patch} × {across} to {width} values, a multiple of {HEAD}"))
            );
        }
        let convolution = weights.tensor(naming.patch(), &[width, 3, patch, patch])?;
        let bias = naming.patch_bias().map_or(Ok(vec![0.0; width]), |name| read.vector(name, width))?;
        let mut class = weights.values(naming.class(), width)?.to_vec();
        let table = weights.rows(naming.positions(), width)?;
        let positions = table.len() / width;
        let side = positions.isqrt();
        // Where there is a row more than patches, it is the class token's.
        let table = match positions {
            n if n == side * side => table.to_vec(),
            n if n == (n - 1).isqrt().pow(2) + 1 => {
                class.iter_mut().zip(table).for_each(|(c, p)| *c += p);
                table[width..].to_vec()
            }
            n => return Err(weights.wrong(format!("`{}` has {n} rows, which are no square", naming.positions()))),
        };
        let registers = naming.registers().iter().find(|name| weights.has(name));
        let registers = registers.map_or(Ok(Vec::new()), |name| weights.rows(name, width).map(<[f32]>::to_vec))?;
        let blocks = read.blocks(width)?;
        Ok(Vit {
            family,
            patch,
            pixels,
            convolution: Linear::new(3 * patch * patch, convolution, &bias, None),
            class,
            registers,
            table,
            first_norm: naming.first_norm().map(|name| read.norm(name, width)).transpose()?,
            blocks,
            last_norm: read.norm(naming.last_norm(), width)?,
            projection: naming.projection().map(|(name, turned)| read.projection(name, turned, width)).transpose()?,
            scratch: Default::default(),
            idle: Default::default(),
        })
    }
}

/// Reads the parts of blocks by one way of naming.
pub(crate) struct Reader<'a> {
    pub weights: Weights<'a>,
    pub naming: Naming,
    pub family: Family,
    pub tower: Tower,
}

impl Reader<'_> {
    /// All blocks that there are, one at least.
    pub fn blocks(&self, width: usize) -> Result<Vec<Block>> {
        let norm = |i: usize| self.naming.part(self.tower, i, Part::Norm1).unwrap_or_default();
        let depth = (0..).take_while(|&i| self.weights.has(&format!("{}.weight", norm(i)))).count();
        (0..depth.max(1)).map(|i| self.block(i, width)).collect()
    }

    fn vector(&self, name: &str, n: usize) -> Result<Vec<f32>> {
        self.weights.tensor(name, &[n]).map(<[f32]>::to_vec)
    }

    fn norm(&self, name: &str, width: usize) -> Result<LayerNorm> {
        self.weights.layer_norm(name, width, self.family.eps)
    }

    fn projection(&self, name: &str, turned: bool, width: usize) -> Result<Linear> {
        self.weights.projection(name, turned, width)
    }

    fn block(&self, i: usize, width: usize) -> Result<Block> {
        let weights = self.weights;
        let name = |part| self.naming.part(self.tower, i, part).unwrap_or_default();
        let scale = |part| match self.naming.part(self.tower, i, part) {
            // A DINOv2 without layer scale would be another network, but timm's are made without as well.
            Some(name) if weights.has(&name) => self.vector(&name, width).map(Some),
            _ => Ok(None),
        };
        let (scale1, scale2) = (scale(Part::Scale1)?, scale(Part::Scale2)?);
        let qkv = match self.naming.qkv(self.tower, i) {
            Qkv::Joint { weight, bias } => {
                let weight = weights.tensor(&weight, &[3 * width, width])?;
                Linear::new(width, weight, weights.tensor(&bias, &[3 * width])?, None)
            }
            Qkv::Apart(names) => weights.joined(&names, width)?,
        };
        let fc1 = name(Part::Fc1);
        let hidden = weights.shape(&format!("{fc1}.weight"))?.first().copied().unwrap_or(0);
        Ok(Block {
            norm1: self.norm(&name(Part::Norm1), width)?,
            qkv,
            out: weights.linear(&name(Part::Out), width, width, scale1.as_deref())?,
            norm2: self.norm(&name(Part::Norm2), width)?,
            fc1: weights.linear(&fc1, width, hidden, None)?,
            fc2: weights.linear(&name(Part::Fc2), hidden, width, scale2.as_deref())?,
            gelu: self.family.gelu,
        })
    }
}

impl<'a> Weights<'a> {
    /// A linear layer `[out, inputs]` with its bias.
    pub(crate) fn linear(self, name: &str, inputs: usize, out: usize, gain: Option<&[f32]>) -> Result<Linear> {
        let weight = self.tensor(&format!("{name}.weight"), &[out, inputs])?;
        if !out.is_multiple_of(16) {
            return Err(self.wrong(format!("`{name}` has {out} outputs, wanted a multiple of 16")));
        }
        Ok(Linear::new(inputs, weight, self.tensor(&format!("{name}.bias"), &[out])?, gain))
    }

    /// Three layers of `width` outputs as one.
    pub(crate) fn joined(self, names: &[String; 3], width: usize) -> Result<Linear> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend_from_slice(self.tensor(&format!("{name}.weight"), &[width, width])?);
            bias.extend_from_slice(self.tensor(&format!("{name}.bias"), &[width])?);
        }
        Ok(Linear::new(width, &weight, &bias, None))
    }

    /// A layer norm's two vectors.
    pub(crate) fn layer_norm(self, name: &str, width: usize, eps: f32) -> Result<LayerNorm> {
        let vector = |part: &str| self.tensor(&format!("{name}.{part}"), &[width]).map(<[f32]>::to_vec);
        Ok(LayerNorm { weight: vector("weight")?, bias: vector("bias")?, eps })
    }

    /// A projection without bias, stored as `[out, width]`, or `turned` as `[width, out]`.
    pub(crate) fn projection(self, name: &str, turned: bool, width: usize) -> Result<Linear> {
        let (weight, out) = self.straight(name, turned, width)?;
        Ok(Linear::new(width, &weight, &vec![0.0; out], None))
    }

    /// The same as `[out, width]`, and how many there are.
    pub(crate) fn straight(self, name: &str, turned: bool, width: usize) -> Result<(Vec<f32>, usize)> {
        let shape = self.shape(name)?;
        let out = match (shape.as_slice(), turned) {
            (&[w, out], true) | (&[out, w], false) if w == width && out.is_multiple_of(16) => out,
            _ => return Err(self.wrong(format!("`{name}` has shape {shape:?}, wanted {width} by a multiple of 16"))),
        };
        let values = self.tensor(name, &shape)?;
        let straight = match turned {
            true => (0..out).flat_map(|j| values[j..].iter().step_by(out).copied()).collect(),
            false => values.to_vec(),
        };
        Ok((straight, out))
    }

    /// A tensor of `count` values of any shape.
    pub(crate) fn values(self, name: &str, count: usize) -> Result<&'a [f32]> {
        let shape = self.shape(name)?;
        if shape.iter().product::<usize>() != count {
            return Err(self.wrong(format!("tensor `{name}` has shape {shape:?}, wanted {count} values")));
        }
        self.tensor(name, &shape)
    }

    /// A tensor whose last axis is `width`.
    pub(crate) fn rows(self, name: &str, width: usize) -> Result<&'a [f32]> {
        let shape = self.shape(name)?;
        if shape.last() != Some(&width) || shape.contains(&0) {
            return Err(self.wrong(format!("tensor `{name}` has shape {shape:?}, wanted rows of {width}")));
        }
        self.tensor(name, &shape)
    }
}
