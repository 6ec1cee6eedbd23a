//! The two texts with learned words before them.

use candle_core::{Tensor, Var};
use zsad_backbones::BackboneKind;
use zsad_core::Environment;
use zsad_nn::Result;

use crate::families::prompts::{Tower, tokens};

/// Whole and damaged.
const TEXTS: [&str; 2] = ["without defect.", "with defect."];

/// The texts, embedded.
pub(super) struct Texts {
    /// `[2, tokens, width]`, filled up to the longer of both: no token sees those behind it.
    embedded: Tensor,
    /// Where the ends are without the words.
    ends: [usize; 2],
}

impl Texts {
    /// Asks the tokenizer.
    pub fn new(kind: BackboneKind, tower: &Tower, env: &Environment) -> Result<Self> {
        let tokens = tokens(kind, &TEXTS, env)?;
        let longest = tokens.iter().map(Vec::len).max().unwrap_or(0);
        let filled = |tokens: &Vec<u32>| {
            tower.words(&tokens.iter().copied().chain(std::iter::repeat(0)).take(longest).collect::<Vec<_>>())
        };
        let embedded = Tensor::stack(&tokens.iter().map(filled).collect::<Result<Vec<_>>>()?, 0)?;
        Ok(Texts { embedded, ends: [tokens[0].len() - 1, tokens[1].len() - 1] })
    }

    /// Their vectors with the words `[words, width]` before the start, `[2, embedding]`, not of unit length.
    pub fn vectors(&self, words: &Var, tower: &Tower) -> Result<Tensor> {
        let (count, width) = words.dims2()?;
        let before = words.unsqueeze(0)?.broadcast_as((2, count, width))?;
        tower.vectors(&Tensor::cat(&[&before, &self.embedded], 1)?, &self.ends.map(|end| end + count), &[])
    }
}
