#!/usr/bin/env python3
"""Make the expected values of methods with trained prompts on a small CLIP with PyTorch.

    make_prompt_goldens.py crates/models/tests/fixtures

Writes prompts.json, and prompts.pth, a file of learned words as AnomalyCLIP's train.py saves them. A CLIP of twelve image and three
text blocks of width 128 (two heads) by OpenCLIP's names, weights from the formula of `make_vit_goldens.py`, in double precision. The image
tower has positions resized bilinearly; AnomalyCLIP's second path, its prompts, losses and test-time maps are written out after
zqhang/AnomalyCLIP (AnomalyCLIP_lib/AnomalyCLIP.py, prompt_ensemble.py, loss.py, train.py, test.py), AF-CLIP's neighbourhoods, adapter, prompts
and losses after Faustinaqq/AF-CLIP (clip/model.py, clip/adaptor.py, main.py). Needs torch, scipy.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from make_backbone_goldens import uniform
from scipy.ndimage import gaussian_filter

IMAGES, HEIGHT, WIDTH_PX, PATCH, SIDE = 3, 48, 40, 8, 4
GRID = (HEIGHT // PATCH, WIDTH_PX // PATCH)
DEPTH, WIDTH, HEADS, EMBEDDING = 12, 128, 2, 64
TEXT_DEPTH, VOCABULARY, CONTEXT = 3, 514, 40
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
LABELS = torch.tensor([0, 1, 1])
SAMPLES = 16


def shapes():
    yield "visual.class_embedding", [WIDTH]
    yield "visual.positional_embedding", [SIDE**2 + 1, WIDTH]
    yield "visual.conv1.weight", [WIDTH, 3, PATCH, PATCH]
    yield "visual.proj", [WIDTH, EMBEDDING]
    yield "token_embedding.weight", [VOCABULARY, WIDTH]
    yield "positional_embedding", [CONTEXT, WIDTH]
    yield "text_projection", [WIDTH, EMBEDDING]
    blocks = [f"visual.transformer.resblocks.{i}" for i in range(DEPTH)] + [f"transformer.resblocks.{i}" for i in range(TEXT_DEPTH)]
    for norm in ["visual.ln_pre", "visual.ln_post", "ln_final", *(f"{b}.ln_{i}" for b in blocks for i in (1, 2))]:
        yield f"{norm}.weight", [WIDTH]
        yield f"{norm}.bias", [WIDTH]
    for block in blocks:
        for part, out, inputs in [("attn.in_proj_", 3, 1), ("attn.out_proj.", 1, 1), ("mlp.c_fc.", 4, 1), ("mlp.c_proj.", 1, 4)]:
            yield f"{block}.{part}weight", [out * WIDTH, inputs * WIDTH]
            yield f"{block}.{part}bias", [out * WIDTH]


def rule(name, shape):
    """What uniform values in -0.5 … 0.5 are multiplied by, and what is added."""
    if "embedding" in name:
        return 1.0, 0.0
    if len(shape) > 1:
        inputs = shape[0] if name in ("visual.proj", "text_projection") else int(np.prod(shape[1:]))
        return float(np.float32(np.sqrt(6.0 / inputs))), 0.0
    return (0.5, 1.0) if "ln_" in name and name.endswith("weight") else (0.2, 0.0)


def drawn(name, shape, scale=1.0, shift=0.0):
    u = torch.from_numpy(uniform(name, int(np.prod(shape)))).reshape(shape)
    return (u * np.float32(scale) + np.float32(shift)).double()


W = {name: drawn(name, shape, *rule(name, shape)) for name, shape in shapes()}


def summary(x):
    flat = x.detach().double().flatten()
    n = min(SAMPLES, flat.numel())
    picks = [(i * flat.numel()) // n + (7 * i) % max(flat.numel() // n, 1) for i in range(n)]
    return {"norm": flat.norm().item(), "picks": picks, "values": [float(f"{flat[p].item():.10g}") for p in picks]}


def norm(x, name):
    return F.layer_norm(x, [WIDTH], W[f"{name}.weight"], W[f"{name}.bias"], 1e-5)


def split(x, heads):
    return x.reshape(len(x), -1, heads, x.shape[-1] // heads).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).reshape(len(x), -1, x.shape[1] * x.shape[-1])


def softly(a, b, c, mask=None):
    similarities = a @ b.transpose(-1, -2) / a.shape[-1] ** 0.5
    return torch.softmax(similarities if mask is None else similarities + mask, -1) @ c


def rows(block, x):
    """Queries, keys and values behind the first norm."""
    qkv = F.linear(norm(x, f"{block}.ln_1"), W[f"{block}.attn.in_proj_weight"], W[f"{block}.attn.in_proj_bias"])
    return [split(part, HEADS) for part in qkv.chunk(3, -1)]


def out(block, taken):
    return F.linear(joined(taken), W[f"{block}.attn.out_proj.weight"], W[f"{block}.attn.out_proj.bias"])


def mlp(block, x):
    hidden = F.linear(norm(x, f"{block}.ln_2"), W[f"{block}.mlp.c_fc.weight"], W[f"{block}.mlp.c_fc.bias"])
    return F.linear(hidden * torch.sigmoid(1.702 * hidden), W[f"{block}.mlp.c_proj.weight"], W[f"{block}.mlp.c_proj.bias"])


def images():
    x = torch.from_numpy(uniform("image", IMAGES * 3 * HEIGHT * WIDTH_PX) + np.float32(0.5)).reshape(IMAGES, 3, HEIGHT, WIDTH_PX).double()
    mean, std = (torch.tensor(s, dtype=torch.float64).reshape(1, 3, 1, 1) for s in (MEAN, STD))
    return (x - mean) / std


def masks():
    m = torch.zeros(IMAGES, HEIGHT, WIDTH_PX)
    m[1, 5:25, 3:18] = 1
    m[2, 30:47, 11:40] = 1
    return m.double()


def image_tower():
    """Tokens after every block of the original path, and of the one beside it."""
    x = F.conv2d(images(), W["visual.conv1.weight"], stride=PATCH).flatten(2).transpose(1, 2)
    table = W["visual.positional_embedding"]
    grid = F.interpolate(table[1:].reshape(1, SIDE, SIDE, WIDTH).permute(0, 3, 1, 2), GRID, mode="bilinear")
    x = torch.cat([W["visual.class_embedding"].expand(IMAGES, 1, -1), x], 1) + torch.cat([table[:1], grid[0].flatten(1).T])
    x, beside = norm(x, "visual.ln_pre"), None
    first, second = [], []
    for i in range(DEPTH):
        block = f"visual.transformer.resblocks.{i}"
        q, k, v = rows(block, x)
        if i >= DEPTH // 4 - 1:
            beside = (x if beside is None else beside) + out(block, softly(v, v, v))
        x = x + out(block, softly(q, k, v))
        x = x + mlp(block, x)
        first.append(x)
        second.append(x if beside is None else beside)
    return first, second


def text_tower(x, ends, deep=()):
    x = x + W["positional_embedding"][: x.shape[1]]
    mask = torch.full((x.shape[1], x.shape[1]), float("-inf"), dtype=torch.float64).triu(1)
    for i in range(TEXT_DEPTH):
        block = f"transformer.resblocks.{i}"
        if i >= 1 and i - 1 < len(deep):
            words = deep[i - 1].expand(len(x), -1, -1)
            x = torch.cat([x[:, :1], words, x[:, 1 + words.shape[1] :]], 1)
        x = x + out(block, softly(*rows(block, x), mask))
        x = x + mlp(block, x)
    x = norm(x, "ln_final")
    return x[torch.arange(len(x)), torch.tensor(ends)] @ W["text_projection"]


def tokens(text):
    """Those of a tokenizer that merges nothing: bytes 33 … 126 are 0 … 93, 256 more at the end of a word; start 512, end 513."""
    words = text.replace(".", " .").split()
    return [512, *(ord(c) - 33 + 256 * (i + 1 == len(w)) for w in words for i, c in enumerate(w)), 513]


def learned(name, n):
    return drawn(name, [n, WIDTH], 0.2).requires_grad_()


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


class AnomalyClip:
    WORDS, DEEP, DEEP_WORDS, LAYERS = 3, 2, 2, [8, 12]

    def __init__(self):
        self.prompts = {name: learned(name, self.WORDS) for name in ("ctx_pos", "ctx_neg")}
        self.prompts |= {f"compound_prompts_text.{i}": learned(f"compound_prompts_text.{i}", self.DEEP_WORDS) for i in range(self.DEEP)}

    def directions(self):
        texts, ends = [], []
        for name, text in [("ctx_pos", "object."), ("ctx_neg", "damaged object.")]:
            ids = tokens(text)
            ids = ids[:1] + [0] * self.WORDS + ids[1:]
            words = W["token_embedding.weight"][torch.tensor(ids + [0] * (CONTEXT - len(ids)))]
            texts.append(torch.cat([words[:1], self.prompts[name], words[1 + self.WORDS :]]))
            ends.append(len(ids) - 1)
        deep = [self.prompts[f"compound_prompts_text.{i}"] for i in range(self.DEEP)]
        return text_tower(torch.stack(texts), ends, deep)

    def run(self, first, second):
        classes = first[-1][:, 0] @ W["visual.proj"]
        patches = [norm(second[layer - 1], "visual.ln_post") @ W["visual.proj"] for layer in self.LAYERS]
        vectors = self.directions()
        directions = unit(vectors)
        logits = unit(classes) @ directions.T / 0.07
        image_loss = F.cross_entropy(logits, LABELS)
        maps, terms = [], []
        gt = masks()
        for patch in patches:
            similarity = torch.softmax(unit(patch) @ directions.T / 0.07, -1)[:, 1:].reshape(IMAGES, *GRID, 2).permute(0, 3, 1, 2)
            maps.append(F.interpolate(similarity, (HEIGHT, WIDTH_PX), mode="bilinear"))
            terms.append([self.focal(maps[-1], gt), self.dice(maps[-1][:, 1], gt), self.dice(maps[-1][:, 0], 1 - gt)])
        loss = image_loss + 4 * sum(sum(t) for t in terms)
        loss.backward()
        summed = sum((m[:, 1] + 1 - m[:, 0]) / 2 for m in maps).detach().numpy()
        return {
            "class": summary(classes),
            "patches": [summary(p[:, 1:].transpose(1, 2)) for p in patches],
            "vectors": summary(vectors),
            "scores": torch.softmax(logits, -1)[:, 1].tolist(),
            "maps": summary(torch.from_numpy(np.stack([gaussian_filter(m, sigma=4) for m in summed]))),
            "cross_entropy": image_loss.item(),
            "terms": [[t.item() for t in layer] for layer in terms],
            "loss": loss.item(),
            "gradients": {name: summary(p.grad) for name, p in self.prompts.items()},
        }

    @staticmethod
    def focal(probabilities, gt):
        label = torch.stack([1 - gt, gt], 1).clamp(1e-5, 1 - 1e-5)
        right = (label * probabilities).sum(1) + 1e-5
        return (-((1 - right) ** 2) * right.log()).mean()

    @staticmethod
    def dice(values, gt):
        values, gt = values.flatten(1), gt.flatten(1)
        return 1 - ((2 * (values * gt).sum(1) + 1) / (values.sum(1) + gt.sum(1) + 1)).sum() / len(gt)

    def save(self, path):
        learner = torch.nn.Module()
        for name in ("ctx_pos", "ctx_neg"):
            learner.register_parameter(name, torch.nn.Parameter(self.prompts[name].detach().float()[None, None]))
        deep = [self.prompts[f"compound_prompts_text.{i}"].detach().float() for i in range(self.DEEP)]
        learner.compound_prompts_text = torch.nn.ParameterList(torch.nn.Parameter(d) for d in deep)
        learner.register_buffer("token_prefix_pos", torch.zeros(1, 1, 1, WIDTH))
        learner.register_buffer("tokenized_prompts_pos", torch.zeros(1, 1, 4, dtype=torch.int32))
        torch.save({"prompt_learner": learner.state_dict()}, path)


class AfClip:
    WORDS, LAYERS, HEADS, INNER, TEMPERATURE = 3, [3, 6, 9, 12], 8, 512, 0.5

    def __init__(self):
        parts = [("norm.weight", [WIDTH], 0.5, 1.0), ("norm.bias", [WIDTH], 0.2, 0.0)]
        parts += [(f"to_{part}.weight", [self.INNER, WIDTH], (6 / WIDTH) ** 0.5, 0.0) for part in "qkv"]
        parts += [("to_out.weight", [WIDTH, self.INNER], (6 / self.INNER) ** 0.5, 0.0), ("to_out.bias", [WIDTH], 0.2, 0.0)]
        self.params = {"prompt": learned("prompt", self.WORDS)}
        self.params |= {f"adapter.{name}": drawn(f"adapter.{name}", shape, scale, shift).requires_grad_() for name, shape, scale, shift in parts}

    def vectors(self):
        texts, ends = [], []
        for text in ["without defect.", "with defect."]:
            ids = tokens(text)
            words = W["token_embedding.weight"][torch.tensor(ids + [0] * (CONTEXT - len(ids)))]
            texts.append(torch.cat([self.params["prompt"], words])[:CONTEXT])
            ends.append(self.WORDS + len(ids) - 1)
        return text_tower(torch.stack(texts), ends)

    @staticmethod
    def neighbours(x, side):
        if side == 1:
            return x
        at = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
        kernel = torch.exp(-(at[:, None] ** 2 + at**2) / (2 * 4.0**2))
        planes = x[:, 1:].transpose(1, 2).reshape(IMAGES * WIDTH, 1, *GRID)
        mean = F.conv2d(planes, (kernel / kernel.sum())[None, None], padding=side // 2)
        return torch.cat([x[:, :1], mean.reshape(IMAGES, WIDTH, -1).transpose(1, 2)], 1)

    def adapted(self, x):
        p = {name.removeprefix("adapter."): t for name, t in self.params.items()}
        x = F.layer_norm(x, [WIDTH], p["norm.weight"], p["norm.bias"], 1e-5)
        q, k, v = (split(F.linear(x, p[f"to_{part}.weight"]), self.HEADS) for part in "qkv")
        return F.linear(joined(softly(q, k, v)), p["to_out.weight"], p["to_out.bias"])

    def run(self, first):
        sets = [self.neighbours(first[layer - 1], side) for layer in self.LAYERS for side in (1, 3, 5)]
        projected = [norm(self.adapted(x), "visual.ln_post") @ W["visual.proj"] for x in sets]
        vectors = self.vectors()
        logits = sum(unit(x) @ unit(vectors).T / self.TEMPERATURE for x in projected)
        probabilities = torch.softmax(logits, -1)[..., 1]
        gt = F.interpolate(masks()[:, None], GRID, mode="bilinear").flatten(1)
        gt = torch.where(gt > 0.5, 1.0, torch.where(gt < 0.5, 0.0, gt)).double()
        image, focal = self.focal(probabilities[:, 0], LABELS.double()), self.focal(probabilities[:, 1:], gt)
        l1 = (probabilities[:, 1:] - gt).abs().mean()
        sign = torch.where(gt == 0, -1.0, gt).double()
        alike = sign[:, :, None] * sign[:, None]
        alignment = 0
        for x in projected:
            similarity = unit(x[:, 1:]) @ unit(x[:, 1:]).transpose(1, 2)
            alignment = alignment + (similarity[alike == -1].mean() - similarity[alike == 1].mean()).clamp(min=0) / len(projected)
        loss = image + focal + l1 + alignment
        loss.backward()
        grid = probabilities[:, 1:].reshape(IMAGES, 1, *GRID).detach()
        resized = F.interpolate(grid, (HEIGHT, WIDTH_PX), mode="bilinear")[:, 0].numpy()
        return {
            "tokens": [summary(first[layer - 1].transpose(1, 2)) for layer in self.LAYERS],
            "sets": [summary(x) for x in sets],
            "projected": [summary(x) for x in projected],
            "vectors": summary(vectors),
            "scores": probabilities[:, 0].tolist(),
            "maps": summary(torch.from_numpy(np.stack([gaussian_filter(m, sigma=4) for m in resized]))),
            "terms": [t.item() for t in (image, focal, l1, alignment)],
            "loss": loss.item(),
            "gradients": {name: summary(p.grad) for name, p in self.params.items()},
        }

    @staticmethod
    def focal(probabilities, targets):
        right = probabilities * targets + (1 - probabilities) * (1 - targets)
        return (F.binary_cross_entropy(probabilities, targets, reduction="none") * (1 - right) ** 4).mean()


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    first, second = image_tower()
    anomaly_clip = AnomalyClip()
    goldens = {
        "tensors": [[name, shape, *rule(name, shape)] for name, shape in shapes()],
        "anomaly_clip": anomaly_clip.run(first, second),
        "af_clip": AfClip().run(first),
    }
    anomaly_clip.save(folder / "prompts.pth")
    with open(folder / "prompts.json", "w") as file:
        json.dump(goldens, file)
        file.write("\n")


if __name__ == "__main__":
    main()
