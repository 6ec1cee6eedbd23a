//! What vision transformers and CLIP's text tower are made of: products, norms, attention, blocks.
//!
//! Tokens lie row by row, `[image · token, width]`. Everything here runs on the calling thread unless it says otherwise,
//! and the order of every sum depends on the shapes alone.

mod attention;
mod block;
mod norm;
mod pointwise;
mod product;

pub use attention::Attention;
pub(crate) use block::{Block, Shape, Streams};
pub(crate) use norm::LayerNorm;
pub use pointwise::Gelu;
pub(crate) use product::{Linear, ROWS, Scratch};
