//! ResNet (He et al., CVPR 2016, with the stride on the 3×3 as in torchvision and timm) and Wide ResNet
//! (Zagoruyko & Komodakis, BMVC 2016). Tensor names are torchvision's, which timm shares.

use zsad_core::Result;

use crate::build::{Builder, Io, Weights};
use crate::conv::{Act, Padding, Window};
use crate::graph::Graph;
use crate::norm::NormMode;

/// The members of the family that are supported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    blocks: [usize; 4],
    /// Inner channels of a bottleneck relative to the standard 64, 128, …; `None`: basic blocks of two 3×3.
    bottleneck: Option<usize>,
}

pub(crate) const RESNET18: Config = Config { blocks: [2, 2, 2, 2], bottleneck: None };
pub(crate) const RESNET50: Config = Config { blocks: [3, 4, 6, 3], bottleneck: Some(1) };
pub(crate) const RESNET152: Config = Config { blocks: [3, 8, 36, 3], bottleneck: Some(1) };
pub(crate) const WIDE_RESNET50_2: Config = Config { blocks: [3, 4, 6, 3], bottleneck: Some(2) };

const fn window(kernel: usize, stride: usize) -> Window {
    Window { kernel, stride, padding: Padding::Zeros(kernel / 2) }
}

pub(crate) fn build(config: Config, weights: Weights, mode: NormMode) -> Result<Graph> {
    let mut b = Builder::new(weights, mode, 1e-5);
    // Buffers: 0 the images, then a block's input, its inner results and its projected shortcut.
    let (mut x, mut first, mut second, projected) = (1, 2, 3, 4);
    b.conv("conv1", "bn1", window(7, 2), (3, 64), Io::new(0, first, Act::Relu))?;
    b.max_pool(window(3, 2), first, x);
    let mut cin = 64;
    for (stage, &blocks) in config.blocks.iter().enumerate() {
        let width = 64 << stage;
        for block in 0..blocks {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let cout = config.bottleneck.map_or(width, |_| 4 * width);
            let mut shortcut = x;
            if stride != 1 || cin != cout {
                shortcut = projected;
                let (conv, bn) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
                b.conv(&conv, &bn, window(1, stride), (cin, cout), Io::new(x, shortcut, Act::Linear))?;
            }
            let mut conv = |i: usize, kernel, stride, channels, io| {
                b.conv(&format!("{name}.conv{i}"), &format!("{name}.bn{i}"), window(kernel, stride), channels, io)
            };
            let sum = |src, dst| Io { src, dst, add: Some(shortcut), act: Act::Relu };
            match config.bottleneck {
                None => {
                    conv(1, 3, stride, (cin, cout), Io::new(x, first, Act::Relu))?;
                    conv(2, 3, 1, (cout, cout), sum(first, second))?;
                    std::mem::swap(&mut x, &mut second);
                }
                Some(factor) => {
                    let inner = width * factor;
                    conv(1, 1, 1, (cin, inner), Io::new(x, first, Act::Relu))?;
                    conv(2, 3, stride, (inner, inner), Io::new(first, second, Act::Relu))?;
                    conv(3, 1, 1, (inner, cout), sum(second, first))?;
                    std::mem::swap(&mut x, &mut first);
                }
            }
            cin = cout;
        }
        b.output(x, stage + 1);
    }
    Ok(b.finish(5, (3, 1)))
}
