#!/usr/bin/env python3
"""Make the expected tokens of small vision transformers with timm, transformers and OpenCLIP.

    make_vit_goldens.py crates/backbones/tests/fixtures/vit.json

Three blocks of width 128 (two heads), weights from the formula of `make_backbone_goldens.py` by the names that the files of each
library have. In double precision. Positions are resized by PyTorch's `interpolate`; the second path is written out here. Needs
torch, timm, transformers and open_clip.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import open_clip
import timm
import torch
import torch.nn.functional as F
import transformers
from make_backbone_goldens import summary, uniform
from safetensors.torch import load_file, save_file

N, DEPTH, WIDTH, SIDE = 2, 3, 128, 6
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
TOKENS = ("cls_token", "pos_embed", "reg_token", "register_tokens", "class_embedding", "positional_embedding", "position_embedding", "token_embedding")


def rule(name, shape):
    """How a tensor is filled: `tokens`, `matrix` (by what one output reads), `scale`, `small`."""
    if any(word in name for word in TOKENS):
        return "tokens"
    if len(shape) > 1:
        return "matrix"
    return "scale" if name.endswith(("weight", "gamma", "lambda1")) else "small"


def filled(name, shape):
    u = torch.from_numpy(uniform(name, int(np.prod(shape)))).reshape(shape)
    inputs = shape[0] if name in ("visual.proj", "text_projection") else int(np.prod(shape[1:]))
    return {"tokens": u, "matrix": u * np.float32(np.sqrt(24.0 / inputs)), "scale": 1 + 0.5 * u, "small": 0.2 * u}[rule(name, shape)]


def images(height, width, statistics):
    x = torch.from_numpy(uniform("image", N * 3 * height * width) + np.float32(0.5)).reshape(N, 3, height, width).double()
    mean, std = (torch.tensor(s, dtype=torch.float64).reshape(1, 3, 1, 1) for s in statistics)
    return (x - mean) / std


def resized(table, rows, columns, positions):
    """A table [SIDE², width] to [rows · columns, width]."""
    if (rows, columns) == (SIDE, SIDE):
        return table
    grid = table.reshape(1, SIDE, SIDE, -1).permute(0, 3, 1, 2)
    how = {
        "hub": {"scale_factor": ((rows + 0.1) / SIDE, (columns + 0.1) / SIDE), "mode": "bicubic"},
        "hub_registers": {"size": (rows, columns), "mode": "bicubic", "antialias": True},
        "size": {"size": (rows, columns), "mode": "bicubic"},
        "bilinear": {"size": (rows, columns), "mode": "bilinear"},
    }[positions]
    return F.interpolate(grid, align_corners=False, **how).permute(0, 2, 3, 1).reshape(rows * columns, -1)


def maps(tokens, prefix, grid):
    return tokens[:, prefix:].transpose(1, 2).reshape(N, -1, *grid)


def case(weights, family, positions, gelu, size, layers, **more):
    tensors = [[name, list(t.shape), rule(name, t.shape)] for name, t in weights.items()]
    return {"tensors": tensors, "family": family, "positions": positions, "gelu": gelu, "size": size, "layers": [summary(x) for x in layers], **more}


def timm_dino(size, positions, registers=0, gelu="exact"):
    """Patches after each block and the class token, normed."""
    made = {
        "patch_size": 14, "embed_dim": WIDTH, "depth": DEPTH, "num_heads": 2, "init_values": 1.0, "num_classes": 0, "reg_tokens": registers,
        "no_embed_class": registers > 0, "act_layer": "gelu_tanh" if gelu == "tanh" else "gelu",
    }
    network = timm.models.vision_transformer.VisionTransformer
    weights = {name: filled(name, t.shape) for name, t in network(img_size=14 * SIDE, **made).state_dict().items()}
    grid = (size[0] // 14, size[1] // 14)
    own = {name: t.double() for name, t in weights.items()}
    table = own["pos_embed"][0]
    front, table = table[: len(table) - SIDE**2], table[len(table) - SIDE**2 :]
    own["pos_embed"] = torch.cat([front, resized(table, *grid, positions)])[None]
    model = network(img_size=size, **made).double().eval()
    model.load_state_dict(own)
    x = images(*size, IMAGENET)
    _, found = model.forward_intermediates(x, norm=True)
    layers = [*found, model.forward_features(x)[:, 0, None, None].transpose(1, 3)]
    return case(weights, "dino", positions, gelu, size, layers)


def on_file(model, size):
    """Fills a transformers model by the names in its file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        weights = {name: filled(name, t.shape) for name, t in load_file(path).items() if t.is_floating_point() and "mask_token" not in name}
        save_file({**load_file(path), **weights}, path, {"format": "pt"})
        return weights, type(model).from_pretrained(folder).double().eval()


def hf_dino():
    size = [14 * SIDE] * 2
    config = transformers.Dinov2Config(hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=2, mlp_ratio=4, image_size=size[0], patch_size=14)
    weights, model = on_file(transformers.Dinov2Model(config), size)
    hidden = model(images(*size, IMAGENET), output_hidden_states=True).hidden_states[1:]
    normed = [model.layernorm(h) for h in hidden]
    layers = [maps(h, 1, (SIDE, SIDE)) for h in normed] + [normed[-1][:, 0].reshape(N, -1, 1, 1)]
    return case(weights, "dino", "hub", "exact", size, layers)


def hf_clip():
    size = [8 * SIDE] * 2
    config = transformers.CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=DEPTH, num_attention_heads=2, image_size=size[0], patch_size=8, projection_dim=64, hidden_act="quick_gelu"
    )
    weights, model = on_file(transformers.CLIPVisionModelWithProjection(config), size)
    out = model(images(*size, CLIP), output_hidden_states=True)
    layers = [maps(h, 1, (SIDE, SIDE)) for h in out.hidden_states[1:]] + [out.image_embeds.reshape(N, -1, 1, 1)]
    return case(weights, "clip", "size", "quick", size, layers)


def attended(block, stream, parts):
    """What attention over `stream` gives, by pairs of (0 queries, 1 keys, 2 values)."""
    qkv = block.attn.in_proj_weight, block.attn.in_proj_bias
    rows = F.linear(block.ln_1(stream), *qkv).reshape(N, -1, 3, 2, 64).permute(2, 0, 3, 1, 4)
    total = sum(torch.softmax(rows[a] @ rows[b].transpose(-1, -2) / 8, -1) @ rows[2] for a, b in parts)
    return block.attn.out_proj(total.transpose(1, 2).reshape(N, -1, WIDTH))


def open_clip_tower(size, positions, quick, second=None):
    vision = {"layers": DEPTH, "width": WIDTH, "head_width": 64, "patch_size": 8, "image_size": 8 * SIDE}
    text = {"context_length": 8, "vocab_size": 32, "width": 64, "heads": 1, "layers": 1}
    model = open_clip.CLIP(64, vision, text, quick_gelu=quick).double().eval()
    weights = {name: filled(name, t.shape) for name, t in model.state_dict().items() if name.startswith("visual.")}
    model.load_state_dict({name: t.double() for name, t in weights.items()}, strict=False)
    tower, grid = model.visual, (size[0] // 8, size[1] // 8)
    x = tower.conv1(images(*size, CLIP)).flatten(2).transpose(1, 2)
    x = torch.cat([tower.class_embedding.expand(N, 1, -1), x], 1)
    table = tower.positional_embedding
    stream = tower.ln_pre(x + torch.cat([table[:1], resized(table[1:], *grid, positions)]))
    layers, beside = [], None
    for i, block in enumerate(tower.transformer.resblocks):
        if second and i >= 1:
            beside = (stream if beside is None else beside) + attended(block, stream, {"value": [(2, 2)], "each": [(0, 0), (1, 1), (2, 2)]}[second])
        stream = block(stream)
        layers.append(stream if beside is None else beside)
    if second:
        return case(weights, "clip", positions, "quick" if quick else "exact", size, layers, second=second)
    pooled = tower.ln_post(stream[:, 0]) @ tower.proj
    if size == [8 * SIDE] * 2:
        assert torch.allclose(pooled, model.encode_image(images(*size, CLIP)))
    return case(weights, "clip", positions, "quick" if quick else "exact", size, [maps(h, 1, grid) for h in layers] + [pooled.reshape(N, -1, 1, 1)])


def windows(side):
    """The embedding of every window of side x side patches with the class token alone, as Accurate-WinCLIP's `VisionTransformer` has it."""
    vision = {"layers": DEPTH, "width": WIDTH, "head_width": 64, "patch_size": 8, "image_size": 8 * SIDE}
    text = {"context_length": 8, "vocab_size": 32, "width": 64, "heads": 1, "layers": 1}
    model = open_clip.CLIP(64, vision, text, quick_gelu=False).double().eval()
    weights = {name: filled(name, t.shape) for name, t in model.state_dict().items() if name.startswith("visual.")}
    model.load_state_dict({name: t.double() for name, t in weights.items()}, strict=False)
    tower, size = model.visual, [8 * SIDE] * 2
    x = tower.conv1(images(*size, CLIP)).flatten(2).transpose(1, 2)
    x = torch.cat([tower.class_embedding.expand(N, 1, -1), x], 1) + tower.positional_embedding
    index = torch.arange(1, SIDE**2 + 1).reshape(SIDE, SIDE)
    places = range(SIDE + 1 - side)
    held = [torch.cat([torch.tensor([0]), index[i : i + side, j : j + side].flatten()]) for i in places for j in places]
    out = [tower.ln_post(tower.transformer(tower.ln_pre(x[:, h]))[:, 0]) @ tower.proj for h in held]
    maps = torch.stack(out, -1).reshape(N, -1, len(places), len(places))
    return case(weights, "clip", "size", "exact", size, [maps], windows=side)


TEXTS = [[58, 5, 9, 40, 59], [58, 3, 59], [58, *range(20, 30), 59]]


def open_clip_texts():
    text = {"context_length": 12, "vocab_size": 60, "width": WIDTH, "heads": 2, "layers": 2}
    model = open_clip.CLIP(64, {"layers": 1, "width": 64, "patch_size": 8, "image_size": 16}, text, quick_gelu=True).double().eval()
    weights = {name: filled(name, t.shape) for name, t in model.state_dict().items() if "visual" not in name and "logit" not in name}
    weights = {"visual.conv1.weight": torch.zeros(1), **weights}
    model.load_state_dict({name: t.double() for name, t in weights.items() if "visual" not in name}, strict=False)
    filled_up = torch.tensor([t + [0] * (12 - len(t)) for t in TEXTS])
    return case(weights, "clip", "size", "quick", [0, 0], [model.encode_text(filled_up)], texts=TEXTS)


def hf_texts():
    config = transformers.CLIPTextConfig(
        vocab_size=60, hidden_size=WIDTH, intermediate_size=4 * WIDTH, projection_dim=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=12, hidden_act="gelu", eos_token_id=2
    )
    weights, model = on_file(transformers.CLIPTextModelWithProjection(config), None)
    filled_up = torch.tensor([t + [0] * (12 - len(t)) for t in TEXTS])
    weights = {"vision_model.embeddings.patch_embedding.weight": torch.zeros(1), **weights}
    return case(weights, "clip", "size", "exact", [0, 0], [model(filled_up).text_embeds], texts=TEXTS)


def main():
    torch.set_num_threads(1)
    native, small = [14 * SIDE] * 2, [42, 126]
    with torch.no_grad():
        goldens = {
            "timm_dino": timm_dino(native, "hub"),
            "timm_dino_resized": timm_dino(small, "hub"),
            "timm_dino_registers": timm_dino(small, "hub_registers", registers=4),
            "timm_dino_size_tanh": timm_dino(small, "size", gelu="tanh"),
            "transformers_dino": hf_dino(),
            "transformers_clip": hf_clip(),
            "open_clip": open_clip_tower([48, 48], "size", quick=True),
            "open_clip_resized_exact": open_clip_tower([40, 72], "size", quick=False),
            "open_clip_bilinear": open_clip_tower([40, 72], "bilinear", quick=True),
            "open_clip_value": open_clip_tower([48, 48], "size", quick=True, second="value"),
            "open_clip_each": open_clip_tower([48, 48], "size", quick=True, second="each"),
            "open_clip_windows_2": windows(2),
            "open_clip_windows_3": windows(3),
            "open_clip_texts": open_clip_texts(),
            "transformers_texts": hf_texts(),
        }
    with open(sys.argv[1], "w") as out:
        json.dump(goldens, out)
        out.write("\n")


if __name__ == "__main__":
    main()
