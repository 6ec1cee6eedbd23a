//! The tokenizer and its list of words.

use std::path::PathBuf;

use zsad_backbones::BackboneKind;
use zsad_backbones::clip::Tokenizer;
use zsad_core::{DataDir, Environment, Error, Result};

/// The list that the tokenizer reads, which is fetched with the weights of `kind`.
pub(crate) fn words_file(kind: BackboneKind, data: &DataDir) -> Result<PathBuf> {
    let path = data.path.join("weights/clip_bpe_simple_vocab_16e6.txt.gz");
    if path.is_file() {
        return Ok(path);
    }
    let message = format!("the tokenizer's list is not there; the data folder was chosen by {}", data.chosen_by);
    Err(Error::data(path, message, format!("zsad data fetch {} brings it with the weights", kind.manifest())))
}

/// The tokens of some texts, from the start to the end of each; the list is read once an environment.
pub(crate) fn tokens(kind: BackboneKind, texts: &[&str], env: &Environment) -> Result<Vec<Vec<u32>>> {
    let words = words_file(kind, &env.data)?;
    let tokenizer = env.memo.get_or_make(&words.to_string_lossy(), || Tokenizer::read(&words))?;
    Ok(texts.iter().map(|text| tokenizer.tokens(text)).collect())
}
