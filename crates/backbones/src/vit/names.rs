//! What the files of vision transformers call their tensors.

use zsad_core::Arrays;

/// A way of naming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// DINOv2's authors and timm.
    Dino,
    /// transformers' DINOv2.
    HuggingFaceDino,
    /// OpenAI's CLIP and OpenCLIP.
    OpenClip,
    /// transformers' CLIP.
    HuggingFaceClip,
}

/// Whose blocks: a CLIP has those of images and those of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tower {
    Image,
    Text,
}

/// What a text tower has beside its blocks.
pub(crate) struct Text {
    pub words: &'static str,
    pub positions: &'static str,
    pub norm: &'static str,
    /// Its name, and whether it is stored as `[width, out]`.
    pub projection: (&'static str, bool),
}

/// A part of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Norm1,
    Out,
    Norm2,
    Fc1,
    Fc2,
    Scale1,
    Scale2,
}

/// How queries, keys and values lie.
pub(crate) enum Qkv {
    /// One weight and one bias with the rows of all three.
    Joint { weight: String, bias: String },
    /// Three layers.
    Apart([String; 3]),
}

impl Naming {
    /// The first of `namings` whose patch convolution is there, or else the first.
    pub fn found(namings: &[Naming], arrays: &Arrays) -> Naming {
        let there = |naming: &&Naming| {
            let name = naming.patch();
            arrays.contains_key(name) || arrays.contains_key(&format!("module.{name}"))
        };
        *namings.iter().find(there).unwrap_or(&namings[0])
    }

    /// The weight of the patch convolution.
    pub fn patch(self) -> &'static str {
        match self {
            Naming::Dino => "patch_embed.proj.weight",
            Naming::HuggingFaceDino => "embeddings.patch_embeddings.projection.weight",
            Naming::OpenClip => "visual.conv1.weight",
            Naming::HuggingFaceClip => "vision_model.embeddings.patch_embedding.weight",
        }
    }

    /// Its bias; CLIP has none.
    pub fn patch_bias(self) -> Option<&'static str> {
        match self {
            Naming::Dino => Some("patch_embed.proj.bias"),
            Naming::HuggingFaceDino => Some("embeddings.patch_embeddings.projection.bias"),
            Naming::OpenClip | Naming::HuggingFaceClip => None,
        }
    }

    /// The class token.
    pub fn class(self) -> &'static str {
        match self {
            Naming::Dino => "cls_token",
            Naming::HuggingFaceDino => "embeddings.cls_token",
            Naming::OpenClip => "visual.class_embedding",
            Naming::HuggingFaceClip => "vision_model.embeddings.class_embedding",
        }
    }

    /// The table of positions.
    pub fn positions(self) -> &'static str {
        match self {
            Naming::Dino => "pos_embed",
            Naming::HuggingFaceDino => "embeddings.position_embeddings",
            Naming::OpenClip => "visual.positional_embedding",
            Naming::HuggingFaceClip => "vision_model.embeddings.position_embedding.weight",
        }
    }

    /// Registers: the authors', timm's, transformers'.
    pub fn registers(self) -> &'static [&'static str] {
        match self {
            Naming::Dino => &["register_tokens", "reg_token"],
            Naming::HuggingFaceDino => &["embeddings.register_tokens"],
            Naming::OpenClip | Naming::HuggingFaceClip => &[],
        }
    }

    /// The norm before the blocks, which CLIP has.
    pub fn first_norm(self) -> Option<&'static str> {
        match self {
            Naming::Dino | Naming::HuggingFaceDino => None,
            Naming::OpenClip => Some("visual.ln_pre"),
            // So misspelt in the files.
            Naming::HuggingFaceClip => Some("vision_model.pre_layrnorm"),
        }
    }

    /// The norm behind the blocks.
    pub fn last_norm(self) -> &'static str {
        match self {
            Naming::Dino => "norm",
            Naming::HuggingFaceDino => "layernorm",
            Naming::OpenClip => "visual.ln_post",
            Naming::HuggingFaceClip => "vision_model.post_layernorm",
        }
    }

    /// The projection of the class token, and whether it is stored as `[width, out]`.
    pub fn projection(self) -> Option<(&'static str, bool)> {
        match self {
            Naming::Dino | Naming::HuggingFaceDino => None,
            Naming::OpenClip => Some(("visual.proj", true)),
            Naming::HuggingFaceClip => Some(("visual_projection.weight", false)),
        }
    }

    /// The parts of the text tower; a DINOv2 has none, and is asked for CLIP's.
    pub fn text(self) -> Text {
        match self {
            Naming::HuggingFaceClip => Text {
                words: "text_model.embeddings.token_embedding.weight",
                positions: "text_model.embeddings.position_embedding.weight",
                norm: "text_model.final_layer_norm",
                projection: ("text_projection.weight", false),
            },
            Naming::OpenClip | Naming::Dino | Naming::HuggingFaceDino => Text {
                words: "token_embedding.weight",
                positions: "positional_embedding",
                norm: "ln_final",
                projection: ("text_projection", true),
            },
        }
    }

    fn block(self, tower: Tower, i: usize) -> String {
        match (self, tower) {
            (Naming::Dino, _) => format!("blocks.{i}"),
            (Naming::HuggingFaceDino, _) => format!("encoder.layer.{i}"),
            (Naming::OpenClip, Tower::Image) => format!("visual.transformer.resblocks.{i}"),
            (Naming::OpenClip, Tower::Text) => format!("transformer.resblocks.{i}"),
            (Naming::HuggingFaceClip, Tower::Image) => format!("vision_model.encoder.layers.{i}"),
            (Naming::HuggingFaceClip, Tower::Text) => format!("text_model.encoder.layers.{i}"),
        }
    }

    /// A part of block `i`; `None` where blocks have no such part.
    pub fn part(self, tower: Tower, i: usize, part: Part) -> Option<String> {
        let of = |names: [&'static str; 7]| names[part as usize];
        let name = match self {
            Naming::Dino => of(["norm1", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2", "ls1.gamma", "ls2.gamma"]),
            Naming::HuggingFaceDino => of([
                "norm1",
                "attention.output.dense",
                "norm2",
                "mlp.fc1",
                "mlp.fc2",
                "layer_scale1.lambda1",
                "layer_scale2.lambda1",
            ]),
            Naming::OpenClip => of(["ln_1", "attn.out_proj", "ln_2", "mlp.c_fc", "mlp.c_proj", "", ""]),
            Naming::HuggingFaceClip => {
                of(["layer_norm1", "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2", "", ""])
            }
        };
        (!name.is_empty()).then(|| format!("{}.{name}", self.block(tower, i)))
    }

    /// Queries, keys and values of block `i`.
    pub fn qkv(self, tower: Tower, i: usize) -> Qkv {
        let block = self.block(tower, i);
        let joint = |weight: &str, bias: &str| Qkv::Joint {
            weight: format!("{block}.{weight}"),
            bias: format!("{block}.{bias}"),
        };
        let apart = |names: [&str; 3]| Qkv::Apart(names.map(|name| format!("{block}.{name}")));
        match self {
            Naming::Dino => joint("attn.qkv.weight", "attn.qkv.bias"),
            Naming::OpenClip => joint("attn.in_proj_weight", "attn.in_proj_bias"),
            Naming::HuggingFaceDino => {
                apart(["attention.attention.query", "attention.attention.key", "attention.attention.value"])
            }
            Naming::HuggingFaceClip => apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        }
    }
}
