//! Which networks there are.

zsad_core::choices! {
    /// A supported architecture.
    pub enum BackboneKind {
        /// EfficientNet-Lite0: layers 1–7, the outputs of its seven stages (16, 24, 40, 80, 112, 192, 320 channels;
        /// 1/2, 1/4, 1/8, 1/16, 1/16, 1/32, 1/32 of the size).
        EfficientNetLite0 = "efficientnet_lite0",
        /// ResNet-152: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
        ResNet152 = "resnet152",
        /// ResNet-18: layers 1–4 (64, 128, 256, 512 channels; 1/4 … 1/32).
        ResNet18 = "resnet18",
        /// Wide ResNet-50-2: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
        WideResNet50x2 = "wide_resnet50_2",
        /// The same with timm's `racm` weights, another training of it, which ResAD's authors use.
        WideResNet50x2Racm = "wide_resnet50_2_racm",
    }
}

impl BackboneKind {
    /// How many layers can be asked for: 1 … this.
    pub fn layers(self) -> usize {
        if self == BackboneKind::EfficientNetLite0 { 7 } else { 4 }
    }

    /// The layers that patch methods use where nothing is said: 1/8 and 1/16 of the size.
    pub fn default_layers(self) -> &'static [usize] {
        if self == BackboneKind::EfficientNetLite0 { &[3, 5] } else { &[2, 3] }
    }

    /// Pixels in 0…1 to the network's input: `x · scale + shift` per channel. ImageNet mean and standard deviation;
    /// EfficientNet-Lite instead takes (255 x − 127) / 128 (`efficientnet_lite_builder.py`).
    pub(crate) fn preprocessing(self) -> ([f32; 3], [f32; 3]) {
        if self == BackboneKind::EfficientNetLite0 {
            return ([255.0 / 128.0; 3], [-127.0 / 128.0; 3]);
        }
        let (mean, std) = ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]);
        (std.map(|s| 1.0 / s), std::array::from_fn(|c| -mean[c] / std[c]))
    }

    /// What a person does to get the weights.
    pub(crate) fn hint(self) -> String {
        match self {
            BackboneKind::EfficientNetLite0 => "run scripts/fetch_efficientnet_lite0.sh".into(),
            BackboneKind::WideResNet50x2Racm => format!(
                "put timm's wide_resnet50_2.racm_in1k there as {self}.safetensors or .pth: python -c \"import timm, torch; \
                 torch.save(timm.create_model('wide_resnet50_2.racm_in1k', pretrained=True).state_dict(), '{self}.pth')\""
            ),
            BackboneKind::ResNet18 | BackboneKind::ResNet152 | BackboneKind::WideResNet50x2 => format!(
                "put torchvision's or timm's {self} there as .safetensors or .pth: \
                 python -c \"import torch, torchvision; \
                 torch.save(torchvision.models.{self}(weights='IMAGENET1K_V1').state_dict(), '{self}.pth')\""
            ),
        }
    }
}
