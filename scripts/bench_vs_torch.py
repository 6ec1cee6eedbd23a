#!/usr/bin/env python3
"""The training step of zsad-nn beside the same step in PyTorch, interleaved on one machine.

A step is: 32 tasks (8 for tab_ntl), each one a batch with its own batch-normalisation statistics,
loss = mean over tasks of mean(concat(L_normal[y=0], L_outlier[y=1])), backward, one Adam update.
pooled_* are ordinary training steps: one batch, batch normalisation with running statistics.

PyTorch runs in several variants, of which the fastest counts: `loop`, one task after the other, as the official ACR
implementation does; `batched`, all tasks in one pass with statistics per task; `compiled`, that under torch.compile, which
wants a C++ compiler.

    python3 scripts/bench_vs_torch.py                          # all configurations, 1 and 2 threads, 3 rounds
    python3 scripts/bench_vs_torch.py --config cnn4 --threads 1 --rounds 1 --iters 3 --variant loop
    python3 scripts/bench_vs_torch.py --simd avx2              # both sides without AVX-512
    python3 scripts/bench_vs_torch.py --device cuda:0 --program meta_step --threads 1 --rounds 1 --iters 100

On a GPU both sides compute in full single precision (PyTorch without TF32), and a step lasts until the GPU is done.

Builds the example `meta_step`, or takes the one that --program names, and prints a markdown table: minima over the rounds'
medians, the ratio of zsad-nn to PyTorch's best variant, and the share of this machine's measured matrix-product rate.
Needs: cargo, torch, numpy.
"""
import argparse, json, os, platform, resource, subprocess, sys, time
import numpy as np, torch
from torch import nn

# Multiply-adds of a step: forward, gradients of all weights, gradients of all inputs but the first layer's.
MLP = lambda sizes, rows: rows * sum(a * b * (2 if i == 0 else 3) for i, (a, b) in enumerate(zip(sizes, sizes[1:])))
CONV = lambda c, f, sizes, rows: rows * sum(
    s * s * f * 9 * (c * 2 if i == 0 else f * 3) for i, s in enumerate(sizes))
GFLOP = {
    "tab_dsvdd": 2e-9 * MLP([570, 128, 128, 128, 32], 32 * 512),
    "tab_ntl": 2e-9 * (19 * MLP([570, 128, 128, 570], 8 * 512) + MLP([570, 128, 128, 128, 32], 20 * 8 * 512)
                       + 20 * 8 * 512 * 570 * 128),
    "omniglot_cnn": 2e-9 * CONV(1, 64, [14, 7, 4, 2], 32 * 30),
    "cnn4": 2e-9 * CONV(3, 128, [32, 16, 8, 4], 32 * 60),
    "feature_svdd": 2e-9 * MLP([1024, 512, 256, 128, 64, 32, 32], 32 * 60),
    "pooled_omniglot": 2e-9 * CONV(1, 64, [14, 7, 4, 2], 240),
    "pooled_cnn4": 2e-9 * CONV(3, 128, [32, 16, 8, 4], 240),
}


class TaskNorm(nn.Module):
    """Batch normalisation with statistics per task over [tasks * batch, channels, ...]; as BatchNorm in training mode for each task."""

    tasks = 1

    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        t = x.view(TaskNorm.tasks, -1, *x.shape[1:])
        over = (1,) if x.dim() == 2 else (1, 3, 4)
        var, mean = torch.var_mean(t, over, correction=0, keepdim=True)
        shape = (1, 1, -1) if x.dim() == 2 else (1, 1, -1, 1, 1)
        return ((t - mean) * torch.rsqrt(var + 1e-5) * self.weight.view(shape) + self.bias.view(shape)).view(x.shape)


def batched(module):
    """The same network with every batch norm replaced by TaskNorm."""
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
            setattr(module, name, TaskNorm(child.num_features))
        else:
            batched(child)
    return module


def mlp(sizes, out, final_bn=True):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
    layers.append(nn.Linear(sizes[-1], out))
    if final_bn:
        layers.append(nn.BatchNorm1d(out))
    return nn.Sequential(*layers)


def cnn(channels, width, out, pool):
    layers, c = [], channels
    for _ in range(4):
        layers += [nn.Conv2d(c, width, 3, padding=1, stride=1 if pool else 2), nn.BatchNorm2d(width), nn.ReLU()]
        if pool:
            layers.append(nn.MaxPool2d(2))
        c = width
    if pool:
        layers += [nn.Flatten(), nn.Linear(width * 4, out)]
    else:
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, out)]
    return nn.Sequential(*layers, nn.BatchNorm1d(out))


class Svdd(nn.Module):
    """Squared distance to a trainable centre; outliers pay the reciprocal."""

    def __init__(self, net, out=32):
        super().__init__()
        self.net, self.center = net, nn.Parameter(torch.randn(out))

    def losses(self, x):
        d = ((self.net(x) - self.center) ** 2).sum(1)
        return d, 1 / d


class Ntl(nn.Module):
    """Neural transformation learning: 19 learned views, deterministic contrastive loss, temperature 0.1."""

    def __init__(self, dim=570, hidden=128, out=32, views=19):
        super().__init__()
        self.views = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, dim))
            for _ in range(views))
        self.enc = mlp([dim, hidden, hidden, hidden], out, final_bn=False)

    def losses(self, x, temp=0.1):
        k = len(self.views)
        v = torch.stack([x] + [t(x) for t in self.views], 1)
        z = nn.functional.normalize(self.enc(v.flatten(0, 1)).view(len(x), k + 1, -1), dim=-1)
        sim = torch.exp(z @ z.transpose(1, 2) / temp)
        denom = (sim.sum(-1) - torch.diagonal(sim, dim1=1, dim2=2))[:, 1:]
        pos = torch.exp((z[:, 1:] * z[:, :1]).sum(-1) / temp)
        scale = 1 / abs(np.log(1 / k))
        return ((denom.log() - pos.log()) * scale).mean(1), (-(1 - pos / denom).log() * scale).mean(1)


VARIANTS = ["loop", "batched", "compiled"]
CONFIGS = {  # name: (model, one task's batch shape, outliers in it, tasks in a step)
    "tab_dsvdd": (lambda: Svdd(mlp([570, 128, 128, 128], 32)), (512, 570), 103, 32),
    "tab_ntl": (Ntl, (512, 570), 103, 8),
    "omniglot_cnn": (lambda: Svdd(cnn(1, 64, 32, pool=False)), (30, 1, 28, 28), 15, 32),
    "cnn4": (lambda: Svdd(cnn(3, 128, 32, pool=True)), (60, 3, 32, 32), 30, 32),
    "feature_svdd": (lambda: Svdd(mlp([1024, 512, 256, 128, 64, 32], 32)), (60, 1024), 30, 32),
    "pooled_omniglot": (lambda: Svdd(cnn(1, 64, 32, pool=False)), (240, 1, 28, 28), 120, 1),
    "pooled_cnn4": (lambda: Svdd(cnn(3, 128, 32, pool=True)), (240, 3, 32, 32), 120, 1),
}


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gemm_gflops(device, n=2048, reps=5):
    a, b = torch.randn(n, n, device=device), torch.randn(n, n, device=device)
    a @ b
    wait(device)
    t = time.perf_counter()
    for _ in range(reps):
        a @ b
    wait(device)
    return reps * 2 * n**3 / (time.perf_counter() - t) / 1e9


def bench(name, iters, threads, variant="loop", device="cpu"):
    device = torch.device(device)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    make, shape, outliers, tasks = CONFIGS[name]
    model = make().train().to(device)
    if variant != "loop" and tasks > 1:
        TaskNorm.tasks = tasks
        batched(model)
    run = torch.compile(model.losses) if variant == "compiled" else model.losses
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    xs = [torch.randn(shape).to(device) for _ in range(tasks)]
    y = torch.arange(shape[0], device=device) >= shape[0] - outliers
    whole, ys = torch.cat(xs), y.repeat(tasks)

    def forward_all():
        if variant == "loop":
            return sum(torch.cat([ln[~y], la[y]]).mean() for ln, la in map(run, xs)) / tasks
        ln, la = run(whole)
        return torch.where(ys, la, ln).mean()

    def step():
        opt.zero_grad()
        forward_all().backward()
        opt.step()
        wait(device)

    step()
    times = []
    for _ in range(iters):
        t = time.perf_counter()
        step()
        times.append((time.perf_counter() - t) * 1e3)
    with torch.no_grad():
        forward_all()
        wait(device)
        t = time.perf_counter()
        forward_all()
        wait(device)
        forward = (time.perf_counter() - t) * 1e3
    return dict(config=name, variant=variant, threads=threads, tasks=tasks, median_ms=round(float(np.median(times)), 1),
                min_ms=round(min(times), 1), forward_ms=round(forward, 1),
                peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                gemm_gflops=round(gemm_gflops(device), 1))


# As on a processor without AVX-512, on both sides.
NARROW = {"avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"}}


def run(command, threads, simd):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads))
    if simd:
        env |= NARROW.get(simd, {}) | {"ZSAD_SIMD": simd}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        print(f"{' '.join(command)}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def machine(device):
    if device != "cpu":
        return f"{torch.cuda.get_device_name(device)}; PyTorch {torch.__version__}, CUDA {torch.version.cuda}"
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} CPUs; PyTorch {torch.__version__}; {platform.system()} {platform.release()}"


def build():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = ["cargo", "build", "--release", "-p", "zsad-nn", "--example", "meta_step", "--message-format", "json"]
    lines = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    artifacts = (json.loads(l) for l in lines)
    return next(x["executable"] for x in artifacts if x.get("executable") and x["target"]["name"] == "meta_step")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--config", choices=CONFIGS, action="append")
    p.add_argument("--threads", type=int, action="append")
    p.add_argument("--iters", type=int, default=5)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--variant", choices=VARIANTS, action="append", help="PyTorch's; default all")
    p.add_argument("--simd", choices=["avx2"], help="both sides without wider vectors")
    p.add_argument("--program", help="a meta_step that is built already")
    p.add_argument("--device", default="cpu", help="cpu or cuda:0, both sides")
    p.add_argument("--json", help="a file for the table's rows as JSON")
    p.add_argument("--torch-only", action="store_true", help="one PyTorch measurement as JSON; used by this script itself")
    a = p.parse_args()
    if a.torch_only:
        print(json.dumps(bench(a.config[0], a.iters, a.threads[0], a.variant[0], a.device)))
        return
    program = a.program or build()
    print(machine(a.device) + "\n")
    rows = []
    print("| step | threads | zsad-nn ms | PyTorch ms | its variant | ratio | zsad-nn MB | PyTorch MB | GFLOP/s of GEMM's |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in a.config or CONFIGS:
        # One batch is one task: there is nothing to loop over.
        variants = [v for v in a.variant or VARIANTS if v != "batched" or CONFIGS[name][3] > 1]
        for threads in a.threads or [1, 2]:
            options = ["--config", name, "--threads", str(threads), "--iters", str(a.iters), "--device", a.device]
            ours, theirs = [], {v: [] for v in variants}
            for _ in range(a.rounds):
                ours.append(run([program, *options], threads, a.simd))
                for v in list(theirs):
                    done = run([sys.executable, __file__, "--torch-only", *options, "--variant", v], threads, a.simd)
                    if done:
                        theirs[v].append(done)
                    else:
                        del theirs[v]
            if None in ours or not theirs:
                rows.append(dict(config=name, threads=threads, failed="zsad-nn" if None in ours else "PyTorch"))
                continue
            least = lambda runs: min(r["median_ms"] for r in runs)
            best = min(theirs, key=lambda v: least(theirs[v]))
            x, y = least(ours), least(theirs[best])
            # On a GPU only PyTorch tells the rate of plain products.
            rate, peak = GFLOP[name] / x * 1e3, max(r["gemm_gflops"] for r in (ours if a.device == "cpu" else theirs[best]))
            mb, torch_mb = (max(r["peak_rss_mb"] for r in rs) for rs in (ours, theirs[best]))
            print(f"| `{name}` | {threads} | {x:.0f} | {y:.0f} | {best} | **{x / y:.2f}** | {mb} | {torch_mb} "
                  f"| {rate:.0f} of {peak:.0f} ({rate / peak:.0%}) |", flush=True)
            rows.append(dict(config=name, threads=threads, zsad_ms=x, torch_ms=y, torch_variant=best, ratio=round(x / y, 3),
                             iters=a.iters))
    if a.json:
        with open(a.json, "w") as f:
            json.dump(dict(machine=machine(a.device), rows=rows), f)
    return any("failed" in r for r in rows)


if __name__ == "__main__":
    sys.exit(main())
