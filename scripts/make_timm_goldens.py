#!/usr/bin/env python3
"""Make the expected feature maps of timm's networks.

    make_timm_goldens.py crates/backbones/tests/fixtures/timm.json

Networks made by timm without downloads, weights from the formula of `make_backbone_goldens.py`, features by timm's own
`forward_intermediates`; and the names and shapes of their state dicts, as timm's files hold them. Needs torch, torchvision
and timm.
"""

import json
import sys

import timm
import torch
from make_backbone_goldens import N, SIZE, fill, summary, uniform

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
# zsad's word, timm's name, the norm that ends a block, mean and deviation of the input: EfficientNet-Lite's own.
NETWORKS = [
    ("resnet18_a1", "resnet18", "bn2", IMAGENET),
    ("resnet50", "resnet50", "bn3", IMAGENET),
    ("wide_resnet50_2_racm", "wide_resnet50_2", "bn3", IMAGENET),
    ("efficientnet_lite0", "tf_efficientnet_lite0", "bn3", ([127 / 255] * 3, [128 / 255] * 3)),
    ("efficientnet_lite0_ra", "efficientnet_lite0", "bn3", IMAGENET),
]


def layers(model, x, mean, std):
    x = (x - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    if hasattr(model, "blocks"):
        x = model.bn1(model.conv_stem(x))
        for stage in model.blocks:
            x = stage(x)
            yield x
    else:
        _, found = model.forward_intermediates(x)
        yield from found[1:]  # the first is the stem


def main():
    torch.set_num_threads(2)
    x = torch.from_numpy(uniform("image", N * 3 * SIZE * SIZE) + 0.5).reshape(N, 3, SIZE, SIZE)
    goldens = {}
    for word, name, last, (mean, std) in NETWORKS:
        model = timm.create_model(name, pretrained=False)
        fill(model, last)
        state = model.state_dict()
        shapes = [[key, list(t.shape)] for key, t in state.items() if t.is_floating_point()]
        goldens[word] = {"last": last, "tensors": shapes if "lite" in word else len(shapes)}
        for mode in ["running", "batch_stats"]:
            model.double().train(mode == "batch_stats")
            with torch.no_grad():
                goldens[word][mode] = [summary(layer) for layer in layers(model, x.double(), mean, std)]
    with open(sys.argv[1], "w") as out:
        json.dump(goldens, out)
        out.write("\n")


if __name__ == "__main__":
    main()
