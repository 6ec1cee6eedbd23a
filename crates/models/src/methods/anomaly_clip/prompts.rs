//! The learned words.

use std::path::Path;

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};
use zsad_backbones::BackboneKind;
use zsad_core::rng::stream;
use zsad_core::{Array, Arrays, Device, Environment, Error, Operator, State};
use zsad_nn::weights::to_candle;
use zsad_nn::{Init, ParamStore, Result};

use crate::families::prompts::{Tower, tokens};

/// What stands behind the learned words, whole and damaged.
const TEXTS: [&str; 2] = ["object.", "damaged object."];
/// Standard deviation of a learned word at first.
const SPREAD: f64 = 0.02;

/// How many words, and of how many values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sizes {
    /// Values of a token.
    pub width: usize,
    /// Of a text's vector.
    pub embedding: usize,
    /// Words before each text.
    pub words: usize,
    /// Blocks with words of their own.
    pub deep: usize,
    /// Words of each of them.
    pub deep_words: usize,
}

/// The words, by the names of the authors' files.
pub(super) struct Prompts {
    pub sizes: Sizes,
    pub store: ParamStore,
    /// Whole and damaged, `[words, width]`.
    contexts: [Var; 2],
    /// `[deep_words, width]` each.
    deep: Vec<Var>,
    /// What the texts come to, once trained: `[2, embedding]`.
    directions: Var,
}

impl Prompts {
    /// Fresh words, drawn from `seed`.
    pub fn new(sizes: Sizes, device: Device, seed: u64) -> Result<Self> {
        let mut store = ParamStore::on(device)?;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "anomaly_clip")]);
        let mut b = store.builder(&mut rng);
        b.operator(Operator::Own);
        let init = Init::Normal(0.0, SPREAD);
        let mut context = |name| b.add(name, &[sizes.words, sizes.width], init);
        let contexts = [context("ctx_pos")?, context("ctx_neg")?];
        let block = |i| b.scope("compound_prompts_text").add(&format!("{i}"), &[sizes.deep_words, sizes.width], init);
        let deep = (0..sizes.deep).map(block).collect::<Result<_>>()?;
        let directions = b.buffer("directions", &[2, sizes.embedding], Init::ZEROS)?;
        Ok(Prompts { sizes, store, contexts, deep, directions })
    }

    /// The words that left `state`.
    pub fn restore(state: &State, device: Device) -> Result<Self> {
        let prompts = Prompts::new(state.entry("sizes")?, device, 0)?;
        prompts.store.restore(state)?;
        Ok(prompts)
    }

    /// The words of a file of the authors', read as a state dict; `path` is for messages. What is there beside them follows from CLIP's
    /// weights.
    pub fn official(arrays: &Arrays, path: &Path, tower: &Tower, device: Device) -> Result<Self> {
        let wrong = |what: String| Error::data(path, what, "wanted: prompts saved by zqhang/AnomalyCLIP's train.py");
        let rows = |name: &str| {
            let array = arrays.get(name).ok_or_else(|| wrong(format!("has no tensor `{name}`")))?;
            let (values, width) = (array.as_f32().unwrap_or_default(), tower.width());
            match array.shape().last() == Some(&width) && !values.is_empty() {
                true => Ok(Array::single(vec![values.len() / width, width], values.to_vec())),
                false => Err(wrong(format!("`{name}` has shape {:?}, and words have {width} values", array.shape()))),
            }
        };
        let contexts = [rows("ctx_pos")?, rows("ctx_neg")?];
        let names = (0..).map(|i| format!("compound_prompts_text.{i}")).take_while(|name| arrays.contains_key(name));
        let deep = names.map(|name| rows(&name)).collect::<zsad_core::Result<Vec<_>>>()?;
        let sizes = Sizes {
            width: tower.width(),
            embedding: tower.embedding(),
            words: contexts[0].shape()[0],
            deep: deep.len(),
            deep_words: deep.first().map_or(1, |d| d.shape()[0]),
        };
        let prompts = Prompts::new(sizes, device, 0)?;
        for (param, array) in prompts.store.trainable().zip(contexts.iter().chain(&deep)) {
            let value = to_candle(array, prompts.store.device())?;
            prompts.store.set(&param.name, &value).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(prompts)
    }

    /// The two directions of unit length, whole and damaged, `[2, embedding]`, with gradients.
    pub fn forward(&self, tower: &Tower, texts: &Texts) -> Result<Tensor> {
        let vectors = self.vectors(tower, texts)?;
        let length = vectors.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(vectors.broadcast_div(&length)?)
    }

    /// The two texts' vectors as they leave the tower.
    pub fn vectors(&self, tower: &Tower, texts: &Texts) -> Result<Tensor> {
        let text =
            |(context, (start, rest)): (&Var, &(Tensor, Tensor))| Tensor::cat(&[start, context.as_tensor(), rest], 0);
        let all = self.contexts.iter().zip(&texts.embedded).map(text).collect::<candle_core::Result<Vec<_>>>()?;
        let deep: Vec<Tensor> = self.deep.iter().map(|var| var.as_tensor().clone()).collect();
        let ends = texts.ends.map(|end| end + self.sizes.words);
        tower.vectors(&Tensor::stack(&all, 0)?, &ends, &deep)
    }

    /// Keeps what the texts come to now.
    pub fn settle(&self, tower: &Tower, texts: &Texts) -> Result<()> {
        Ok(self.directions.set(&self.forward(tower, texts)?.detach().to_dtype(DType::F32)?)?)
    }

    /// What [`Prompts::settle`] kept.
    pub fn directions(&self) -> Result<[Vec<f32>; 2]> {
        let mut rows = self.directions.to_vec2::<f32>()?.into_iter();
        Ok([rows.next().unwrap_or_default(), rows.next().unwrap_or_default()])
    }
}

/// The texts behind the learned words, embedded.
pub(super) struct Texts {
    /// The start, and what stands behind the words up to the end, filled up to the longer of both: no token sees those behind it.
    embedded: [(Tensor, Tensor); 2],
    /// Where the ends are without the words.
    ends: [usize; 2],
}

impl Texts {
    /// Asks the tokenizer.
    pub fn new(kind: BackboneKind, tower: &Tower, env: &Environment) -> Result<Self> {
        let tokens = tokens(kind, &TEXTS, env)?;
        let longest = tokens.iter().map(Vec::len).max().unwrap_or(0);
        let embed = |tokens: &Vec<u32>| -> Result<(Tensor, Tensor)> {
            let filled: Vec<u32> = tokens.iter().copied().chain(std::iter::repeat(0)).take(longest).collect();
            let words = tower.words(&filled)?;
            Ok((words.narrow(0, 0, 1)?, words.narrow(0, 1, longest - 1)?))
        };
        Ok(Texts {
            embedded: [embed(&tokens[0])?, embed(&tokens[1])?],
            ends: [tokens[0].len() - 1, tokens[1].len() - 1],
        })
    }
}
