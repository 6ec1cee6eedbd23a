#!/usr/bin/env python3
"""Time the backbones beside PyTorch on this machine's processor and print a Markdown table.

    bench_backbones_vs_torch.py [--binary target/release/examples/backbone_bench] [--rounds 3] [--iters 3]

PyTorch runs torchvision's networks (EfficientNet-Lite0: efficientnet-lite-pytorch; DINOv2: timm, with its fused attention) in
eval mode without gradients, up to the last of the same layers. Both sides are run in turn, `rounds` times, each time in a fresh process for ours; the
least time of each side counts. Build first: cargo build --release -p zsad-backbones --example backbone_bench
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

import torch

CASES = [("efficientnet_lite0", 16, 224), ("resnet18", 8, 224), ("wide_resnet50_2", 4, 224), ("resnet152", 4, 224), ("dinov2_vits14", 4, 448)]


def lite0():
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0").eval()

    def run(x):
        x = (x * 255 - 127) / 128
        x = model._swish(model._bn0(model._conv_stem(x)))
        maps = []
        for i, block in enumerate(model._blocks[:11]):
            x = block(x)
            if i in (4, 10):
                maps.append(x)
        return maps

    return model, run


def dino(size):
    import timm

    model = timm.create_model("vit_small_patch14_dinov2", pretrained=False, img_size=size, num_classes=0).eval()
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)

    def run(x):
        return model.forward_intermediates((x - mean) / std, indices=[2, 5, 8, 11], norm=True, intermediates_only=True)

    return model, run


def resnet(name):
    import torchvision

    model = getattr(torchvision.models, name)(weights=None).eval()
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)

    def run(x):
        x = model.maxpool(model.relu(model.bn1(model.conv1((x - mean) / std))))
        x = model.layer1(x)
        second = model.layer2(x)
        return [second, model.layer3(second)]

    return model, run


def torch_ms(run, batch, size, threads, iters):
    torch.set_num_threads(threads)
    x = (torch.arange(batch * 3 * size * size) % 251).float().reshape(batch, 3, size, size) / 250
    times = []
    with torch.inference_mode():
        for _ in range(iters + 1):
            start = time.perf_counter()
            run(x)
            times.append((time.perf_counter() - start) * 1e3)
    return min(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--binary", default=f"{target}/release/examples/backbone_bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iters", type=int, default=3)
    parser.add_argument("--backbone", choices=[name for name, _, _ in CASES])
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {os.cpu_count()} processors\n")
    print("| backbone | batch | threads | PyTorch, ms an image | zsad, ms an image | ratio |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        weights = pathlib.Path(folder) / "weights"
        weights.mkdir()
        for name, batch, size in CASES:
            if options.backbone not in (None, name):
                continue
            model, run = lite0() if name == "efficientnet_lite0" else dino(size) if name.startswith("dino") else resnet(name)
            torch.save(model.state_dict(), weights / f"{name}.pth")
            for threads in (1, 2):
                theirs, ours = [], []
                for _ in range(options.rounds):
                    theirs.append(torch_ms(run, batch, size, threads, options.iters))
                    command = [options.binary, "--backbone", name, "--batch", batch, "--threads", threads]
                    command += ["--iters", options.iters, "--size", size, "--data", folder]
                    line = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
                    ours.append(json.loads(line)["min_ms"])
                a, b = min(theirs) / batch, min(ours) / batch
                print(f"| `{name}` | {batch} | {threads} | {a:.1f} | {b:.1f} | {b / a:.2f} |", flush=True)


if __name__ == "__main__":
    main()
