//! What kinds of vision transformers differ in beside their sizes, which weights tell.

use super::names::Naming;
use super::positions::Positions;
use crate::transformer::Gelu;

/// By whose names a family's tensors are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// DINOv2's.
    Dino,
    /// CLIP's.
    Clip,
}

impl Names {
    pub(crate) fn namings(self) -> &'static [Naming] {
        match self {
            Names::Dino => &[Naming::Dino, Naming::HuggingFaceDino],
            Names::Clip => &[Naming::OpenClip, Naming::HuggingFaceClip],
        }
    }
}

/// A family of vision transformers. Sizes are read from the weights; a head has 64 values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// Added to variances.
    pub eps: f32,
    /// The activation inside blocks.
    pub gelu: Gelu,
    /// How positions are brought to an image's size.
    pub positions: Positions,
    /// Whether tokens that are handed out go through the last norm.
    pub normed: bool,
    /// What files call their tensors.
    pub names: Names,
}

impl Family {
    /// DINOv2: patch tokens go through the last norm (`get_intermediate_layers(norm=True)`).
    pub const DINO: Family =
        Family { eps: 1e-6, gelu: Gelu::Exact, positions: Positions::Hub, normed: true, names: Names::Dino };
    /// DINOv2 with registers.
    pub const DINO_REGISTERS: Family = Family { positions: Positions::HubRegisters, ..Family::DINO };
    /// OpenAI's CLIP: patch tokens are handed out as they leave the block, which is what MuSc and AF-CLIP take.
    pub const CLIP: Family =
        Family { eps: 1e-5, gelu: Gelu::Quick, positions: Positions::Size, normed: false, names: Names::Clip };
    /// LAION's CLIP.
    pub const LAION: Family = Family { gelu: Gelu::Exact, ..Family::CLIP };
}
