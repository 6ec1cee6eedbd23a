//! CLIP's text tower with gradients for what comes in; its weights stay as they are.

use std::sync::Arc;

use candle_core::{D, DType, Device, Tensor};
use zsad_backbones::clip::{BlockWeights, TextWeights};
use zsad_backbones::{Backbone, BackboneKind, Gelu};
use zsad_core::{Environment, Error};
use zsad_nn::Result;

use super::frozen::{FrozenLinear, FrozenNorm};
use super::softmax::attend;

/// A text tower on a device.
pub(crate) struct Tower {
    /// `[words, width]`.
    words: Tensor,
    /// `[positions, width]`.
    positions: Tensor,
    blocks: Vec<Block>,
    norm: FrozenNorm,
    projection: FrozenLinear,
    heads: usize,
    gelu: Gelu,
}

struct Block {
    norm1: FrozenNorm,
    qkv: FrozenLinear,
    out: FrozenLinear,
    norm2: FrozenNorm,
    fc1: FrozenLinear,
    fc2: FrozenLinear,
}

impl Tower {
    /// That of a network's weights, read once an environment.
    pub fn open(kind: BackboneKind, env: &Environment) -> zsad_core::Result<Arc<Self>> {
        let path = Backbone::weights_file(kind, &env.data)?;
        env.memo.get_or_make(&format!("{}: text tower with gradients", path.display()), || {
            let family = kind.family().filter(|_| kind.has_text());
            let family = family.ok_or_else(|| Error::Config(knows_no_texts(kind)))?;
            let weights = TextWeights::read(family, &zsad_nn::weights::read(&path)?, &path)?;
            Ok(Tower::new(&weights, &zsad_nn::device::open(env.device)?)?)
        })
    }

    /// With these weights.
    pub fn new(of: &TextWeights, device: &Device) -> Result<Self> {
        let rows = |values: &[f32]| Tensor::from_slice(values, (values.len() / of.width, of.width), device);
        Ok(Tower {
            words: rows(&of.words)?,
            positions: rows(&of.positions)?,
            blocks: of.blocks.iter().map(|block| Block::new(block, device)).collect::<Result<_>>()?,
            norm: FrozenNorm::new(&of.head.norm, device)?,
            projection: FrozenLinear::new(&of.head.projection, device)?,
            heads: of.heads,
            gelu: of.gelu,
        })
    }

    /// Blocks.
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// Values of a token.
    pub fn width(&self) -> usize {
        self.words.dims()[1]
    }

    /// Values of a text's vector.
    pub fn embedding(&self) -> usize {
        self.projection.outputs()
    }

    /// The embeddings of some tokens, `[tokens, width]`.
    pub fn words(&self, tokens: &[u32]) -> Result<Tensor> {
        let known = self.words.dims()[0];
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= known) {
            return Err(Error::failed(format!("token {token} of a tower that knows {known}")).into());
        }
        Ok(self.words.index_select(&Tensor::new(tokens, self.words.device())?, 0)?)
    }

    /// The vectors of texts of embedded tokens `[texts, tokens, width]`, to which positions are added here, read at their `ends`:
    /// `[texts, embedding]`, not of unit length. In each block behind the first, as far as there are `deep` prompts `[words, width]`, these
    /// take the place of the tokens behind the start.
    pub fn vectors(&self, texts: &Tensor, ends: &[usize], deep: &[Tensor]) -> Result<Tensor> {
        let (count, tokens, width) = texts.dims3()?;
        let room = self.positions.dims()[0];
        if tokens > room {
            return Err(Error::Config(format!("texts of {tokens} tokens; the text tower takes {room}")).into());
        }
        let mask = causal(tokens, texts.device())?;
        let mut x = texts.broadcast_add(&self.positions.narrow(0, 0, tokens)?)?;
        for (i, block) in self.blocks.iter().enumerate() {
            if let Some(prompt) = i.checked_sub(1).and_then(|i| deep.get(i)) {
                let n = prompt.dims()[0];
                let prompt = prompt.unsqueeze(0)?.broadcast_as((count, n, width))?;
                x = Tensor::cat(&[&x.narrow(1, 0, 1)?, &prompt, &x.narrow(1, 1 + n, tokens - 1 - n)?], 1)?;
            }
            x = block.forward(&x, self, &mask)?;
        }
        let ends = ends.iter().enumerate().map(|(text, end)| x.narrow(0, text, 1)?.narrow(1, *end, 1));
        let ends = Tensor::cat(&ends.collect::<candle_core::Result<Vec<_>>>()?, 0)?.squeeze(1)?;
        self.projection.forward(&self.norm.forward(&ends)?)
    }
}

impl Block {
    fn new(of: &BlockWeights, device: &Device) -> Result<Self> {
        Ok(Block {
            norm1: FrozenNorm::new(&of.norm1, device)?,
            qkv: FrozenLinear::new(&of.qkv, device)?,
            out: FrozenLinear::new(&of.out, device)?,
            norm2: FrozenNorm::new(&of.norm2, device)?,
            fc1: FrozenLinear::new(&of.fc1, device)?,
            fc2: FrozenLinear::new(&of.fc2, device)?,
        })
    }

    fn forward(&self, x: &Tensor, tower: &Tower, mask: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?.chunk(3, D::Minus1)?;
        let x = (x + self.out.forward(&attend([&qkv[0], &qkv[1], &qkv[2]], tower.heads, Some(mask))?)?)?;
        let hidden = gelu(&self.fc1.forward(&self.norm2.forward(&x)?)?, tower.gelu)?;
        Ok((&x + self.fc2.forward(&hidden)?)?)
    }
}

/// −∞ where a token would see those behind it.
fn causal(tokens: usize, device: &Device) -> Result<Tensor> {
    let value = |i: usize| if i % tokens > i / tokens { f32::NEG_INFINITY } else { 0.0 };
    let values: Vec<f32> = (0..tokens * tokens).map(value).collect();
    Ok(Tensor::from_vec(values, (tokens, tokens), device)?.to_dtype(DType::F32)?)
}

fn gelu(x: &Tensor, form: Gelu) -> Result<Tensor> {
    Ok(match form {
        Gelu::Exact => x.gelu_erf()?,
        Gelu::Tanh => x.gelu()?,
        // σ(z) = (1 + tanh(z / 2)) / 2: an exponential of −z would overflow.
        Gelu::Quick => (x * ((x * 0.851)?.tanh()? + 1.0)?)?.affine(0.5, 0.0)?,
    })
}

/// What is said of a network without a text tower.
pub(crate) fn knows_no_texts(kind: BackboneKind) -> String {
    format!("{kind} knows no texts; hint: the backbones clip_vit_b16_plus_240, clip_vit_b16 and clip_vit_l14_336 do")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use zsad_backbones::clip::TextTower;
    use zsad_backbones::vit::Family;

    use super::*;
    use crate::families::prompts::golden::{arrays, network};

    /// The inference tower is itself held against OpenCLIP and transformers.
    #[test]
    fn texts_are_those_of_the_tower_without_gradients_to_a_hundred_thousandth() {
        let (_folder, env) = network();
        let (arrays, path) = (arrays(&env), Path::new("w"));
        let texts: Vec<Vec<u32>> = vec![vec![512, 5, 9, 40, 513], vec![512, 3, 513], (20..38).collect()];
        for gelu in [Gelu::Quick, Gelu::Exact, Gelu::Tanh] {
            let family = Family { gelu, ..Family::CLIP };
            let want = TextTower::from_tensors(family, &arrays, path).unwrap().vectors(&texts).unwrap();
            let tower = Tower::new(&TextWeights::read(family, &arrays, path).unwrap(), &Device::Cpu).unwrap();
            let longest = 18;
            let filled = |text: &Vec<u32>| {
                let filled: Vec<u32> = text.iter().copied().chain(std::iter::repeat(0)).take(longest).collect();
                tower.words(&filled).unwrap()
            };
            let embedded = Tensor::stack(&texts.iter().map(filled).collect::<Vec<_>>(), 0).unwrap();
            let ends: Vec<usize> = texts.iter().map(|text| text.len() - 1).collect();
            for embedded in [&embedded, candle_core::Var::from_tensor(&embedded).unwrap().as_tensor()] {
                let found =
                    tower.vectors(embedded, &ends, &[]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let rms = (want.iter().map(|v| v * v).sum::<f32>() / want.len() as f32).sqrt();
                let off = found.iter().zip(&want).map(|(f, w)| (f - w).abs() / rms).fold(0.0, f32::max);
                println!("{gelu}: {off:.1e} of the root mean square");
                assert!(off < 1e-5, "{gelu}: {off}");
            }
        }
    }
}
