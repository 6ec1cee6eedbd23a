//! CLIP's other half: texts as vectors beside those of images.

mod text;
mod tokenizer;

pub use text::TextTower;
pub use tokenizer::{CONTEXT, Tokenizer};
