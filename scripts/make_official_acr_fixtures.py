#!/usr/bin/env python3
"""Make the official-layout .pt fixtures of zsad-nn's tests, and the scores that PyTorch gives.

    make_official_acr_fixtures.py crates/nn/tests/fixtures/official

The modules below have the tensor names and the forward pass of the official ACR code (Li et al., NeurIPS 2023), written
anew with narrow layers. Scores are taken in train mode, so every batch norm uses the statistics of the batch, as the
official test loop does. Needs PyTorch.
"""

import json
import math
import pathlib
import sys

import torch
from torch import nn


class TabNN(nn.Module):
    def __init__(self, size, hidden, layers, out):
        super().__init__()
        parts = []
        for _ in range(layers - 1):
            parts += [nn.Linear(size, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
            size = hidden
        self.enc = nn.Sequential(*parts)
        self.fc = nn.Linear(size, out)

    def forward(self, x):
        return self.fc(self.enc(x))


class TabDSVDD(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = TabNN(7, 5, 4, 4)
        self.batch_norm = nn.BatchNorm1d(4)
        self.center = nn.Parameter(torch.randn(4))

    def forward(self, x):
        return self.batch_norm(self.logits(x))


class FeatureSVDD(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [16, 8, 4]
        parts = []
        for a, b in zip(sizes, sizes[1:]):
            parts += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
        self.enc = nn.Sequential(*parts)
        self.fc = nn.Linear(4, 3)
        self.batch_norm = nn.BatchNorm1d(3)
        self.center = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return self.batch_norm(self.fc(self.enc(x)))


class Block(nn.Module):
    def __init__(self, channels, filters):
        super().__init__()
        self.normalize = nn.BatchNorm2d(filters)
        self.conv = nn.Conv2d(channels, filters, 3, stride=2, padding=1)

    def forward(self, x):
        return self.normalize(self.conv(x)).relu()


class Space(nn.Module):
    """The official code's Lambdas, which hold no tensors: the first reshapes, the third is the mean over space."""

    def forward(self, x):
        return x.mean(dim=[2, 3]) if x.shape[-1] < 28 else x


class ConvNet(nn.Module):
    def __init__(self, channels, filters, out):
        super().__init__()
        self.base = nn.Sequential(Block(channels, filters), *[Block(filters, filters) for _ in range(3)])
        self.features = nn.Sequential(Space(), self.base, Space(), nn.Flatten())
        self.full_conn = nn.Linear(filters, out)

    def forward(self, x):
        return self.full_conn(self.features(x))


class ConvDSVDD(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.logits = ConvNet(channels, 3, 4)
        self.batch_norm = nn.BatchNorm1d(4)
        self.center = nn.Parameter(torch.randn(4))

    def forward(self, x):
        return self.batch_norm(self.logits(x))


class View(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        parts = [nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, size)]
        self.net = nn.Sequential(*parts)

    def forward(self, x):
        return self.net(x)


class TabNeutralAD(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = TabNN(4, 3, 3, 3)
        self.trans = nn.ModuleList([View(4, 3) for _ in range(19)])
        self.batch_norm = nn.BatchNorm1d(3)
        self.center = nn.Parameter(torch.randn(1, 3))

    def forward(self, x):
        views = torch.stack([x] + [view(x) for view in self.trans], 1)
        return self.enc(views.reshape(-1, x.shape[-1])).reshape(len(x), 20, -1)


def dsvdd(model, z):
    return ((z - model.center) ** 2).sum(-1)


def ntl(_, z, temperature=0.1):
    z = nn.functional.normalize(z, p=2, dim=-1)
    k = z.shape[1] - 1
    sim = torch.exp(z @ z.transpose(1, 2) / temperature) * (1 - torch.eye(k + 1))
    return ((sim.sum(-1)[:, 1:].log() - sim[:, 1:, 0].log()) / abs(math.log(1 / k))).mean(1)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    legacy = {"_use_new_zipfile_serialization": False}
    # name, model, input shape, score, wrapper, device in the file, format
    cases = [
        ("tab_dsvdd", TabDSVDD(), (9, 7), dsvdd, None, "cpu", {}),
        ("tab_dsvdd_wrapped", TabDSVDD(), (9, 7), dsvdd, "model_state_dict", "cpu", {}),
        ("feature_svdd_cuda_legacy", FeatureSVDD(), (8, 16), dsvdd, None, "cuda:0", legacy),
        ("omniglot_dsvdd_cuda", ConvDSVDD(1), (5, 1, 28, 28), dsvdd, None, "cuda:0", {}),
        ("cifar100_dsvdd", ConvDSVDD(3), (4, 3, 32, 32), dsvdd, None, "cpu", legacy),
        ("tab_neutralad", TabNeutralAD(), (6, 4), ntl, None, "cpu", legacy),
    ]
    expected = {}
    for name, model, shape, score, wrapper, location, options in cases:
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(module.weight)
                nn.init.normal_(module.bias, std=0.1)
        model.train()
        x = torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 0.37).float().reshape(shape)
        with torch.no_grad():
            scores = score(model, model(x))
        state = model.state_dict()
        if wrapper:
            optimizer = torch.optim.Adam(model.parameters())
            model(x).sum().backward()
            optimizer.step()
            state = {"epoch": 3, wrapper: state, "optimizer": optimizer.state_dict()}
            with torch.no_grad():
                scores = score(model, model(x))
        torch.serialization.location_tag = lambda _, location=location: location
        torch.save(state, out / f"{name}.pt", **options)
        expected[name] = {"shape": list(shape), "scores": [float(s) for s in scores]}
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
