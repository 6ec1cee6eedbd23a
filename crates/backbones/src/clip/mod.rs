//! CLIP's other half: texts as vectors beside those of images.

mod text;
mod tokenizer;
mod weights;

pub use text::TextTower;
pub use tokenizer::{CONTEXT, Tokenizer};
pub use weights::{BlockWeights, Dense, Head, NormWeights, TextWeights};
