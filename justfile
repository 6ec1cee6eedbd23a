# zsad: each recipe is one call of cargo, zsad or a script. `just` alone lists them.

zsad := "cargo run --release --quiet --"

# list the recipes
default:
    @just --list

# train and compare on the data that come with the program (about a minute after the build)
quickstart:
    {{zsad}} run experiments/quickstart.yaml

# all tests
test:
    cargo test --workspace --release

# run an experiment: just run acr_omniglot --profile small
run NAME *ARGS:
    {{zsad}} run experiments/{{NAME}}.yaml {{ARGS}}

# what an experiment would run, what is cached and why not
plan NAME *ARGS:
    {{zsad}} plan experiments/{{NAME}}.yaml {{ARGS}}

# every experiment in its small form, one after the other, each with what it costs; it can be stopped, and goes on
tables *ARGS:
    for file in $(grep -l '^  small:' experiments/*.yaml); do \
        {{zsad}} plan "$file" --profile small {{ARGS}} | head -3; \
        {{zsad}} run "$file" --profile small {{ARGS}}; \
    done

# an experiment at its full length: says what it costs by earlier trainings, then runs; calling it again goes on
tables-full NAME *ARGS:
    {{zsad}} plan experiments/{{NAME}}.yaml {{ARGS}}
    {{zsad}} run experiments/{{NAME}}.yaml {{ARGS}}

# a real Slurm on this machine: nodes die, time runs out; needs root and Slurm's packages (see scripts/cluster/slurm_local.sh)
cluster-test *ARGS:
    cargo test --workspace --release --test cluster -- {{ARGS}}

# how far a run has come: just status results/runs/quickstart
status DIR:
    {{zsad}} status {{DIR}}

# the table of a run, or a published table beside ours: just table acr_mvtec
table WHAT *ARGS:
    {{zsad}} table {{WHAT}} {{ARGS}}

# the plots of a run, SVG and PNG
plot DIR *ARGS:
    {{zsad}} plot {{DIR}} {{ARGS}}

# a page of a run to look at: just report results/runs/quickstart
report DIR *ARGS:
    {{zsad}} report {{DIR}} {{ARGS}}

# how far the judgements of `zsad score --trust` can be trusted: minutes on two cores; Omniglot and the digits need no data folder
trust-tables:
    {{zsad}} run experiments/trust_digits.yaml
    {{zsad}} run experiments/trust_omniglot.yaml
    {{zsad}} run experiments/trust_mvtec.yaml
    {{zsad}} run experiments/trust_held_out.yaml
    {{zsad}} run experiments/contamination_pools.yaml

# numbers of others about trust that need a classifier, made again; needs python3 with scikit-learn and torch
trust-references DATA:
    python3 scripts/trust_references.py {{DATA}}

# check every experiment file and cluster file without touching data
validate:
    {{zsad}} validate experiments/*.yaml experiments/clusters/*.yaml

# criterion benches: just bench, or just bench zsad-nn
bench CRATE="zsad-nn":
    cargo bench -p {{CRATE}}

# one meta-training step against PyTorch, interleaved; needs python3 with torch
bench-vs-torch *ARGS:
    cargo build --release -p zsad-nn --example meta_step
    python3 scripts/bench_vs_torch.py {{ARGS}}

# frozen backbones against PyTorch, interleaved; needs python3 with torch
bench-backbones *ARGS:
    cargo build --release -p zsad-backbones --example backbone_bench
    python3 scripts/bench_backbones_vs_torch.py {{ARGS}}

# what `gpu_check.sh` runs on a machine with a GPU: built here without one, packed into one file
gpu-package *ARGS:
    scripts/gpu_package.sh {{ARGS}}

# a new method from the template: one new file and one line in the registry
new-method NAME:
    scripts/new_method.sh {{NAME}}

# format, lint, tests, quickstart, validation: what decides whether a change lands
ci:
    .ci/run
