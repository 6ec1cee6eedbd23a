#!/usr/bin/env python3
"""Manifests from a table of downloads: make_manifests.py downloads.csv crates/data/manifests

The table has the columns item, file, url (mirrors separated by a space), bytes, hash_algorithm and hash (separated by
`;`), licence, source. What people read (titles, places, steps) stands here; every address, size and checksum comes from
the table.
"""
import csv
import json
import re
import sys
from pathlib import Path

rows = list(csv.DictReader(open(sys.argv[1])))
out = Path(sys.argv[2])
KEYS = {"sha256": "sha256", "md5": "md5", "git-blob-sha1": "git_blob_sha1", "sha256-prefix8": "sha256_prefix8"}
TEXT = re.compile(r"[A-Za-z0-9(][^:#\n\"'{}\[\]]*$")


def text(value):
    value = str(value)
    plain = TEXT.match(value) and not re.fullmatch(r"[0-9._-]+", value) and value.strip() == value
    return value if plain else json.dumps(value, ensure_ascii=False)


def row(item, file):
    found = [r for r in rows if r["item"] == item and (r["file"] == file or file == "")]
    assert len(found) == 1, (item, file, len(found))
    return found[0]


def served(r, path, strength="published", urls=True, hub=None, extra=(), compact=False):
    """The lines of one file; `compact`: on one line."""
    fields = [("path", path)]
    if hub:
        fields.append(("hub", hub))
    addresses = r["url"].split() if r and urls else []
    if r and r["bytes"]:
        size = ("size", int(r["bytes"]))
    else:
        size = None
    sums = list(zip(r["hash_algorithm"].split(";"), r["hash"].split(";"))) if r and r["hash"] else []
    tail = [size] if size else []
    tail += [(KEYS[name], value) for name, value in sums]
    if sums:
        tail.append(("strength", strength))
    tail += list(extra)
    if compact:
        shown = [f"path: {flow(path)}", f"urls: [{', '.join(map(flow, addresses))}]"]
        shown += [f"{k}: {flow(v)}" for k, v in tail]
        return [f"  - {{{', '.join(shown)}}}"]
    lines = [f"  - path: {text(path)}"]
    if hub:
        lines.append(f"    hub: {{{', '.join(f'{k}: {flow(v)}' for k, v in hub.items())}}}")
    if addresses:
        lines.append("    urls:")
        lines += [f"      - {a}" for a in addresses]
    for k, v in tail:
        lines.append(f"    {k}: {v if isinstance(v, int) else flow(v)}")
    return lines


def flow(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(flow(v) for v in value)}]"
    # Digits and an `e` would be read as a number.
    plain = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./+:?=%-]*", value)
    number = re.fullmatch(r"[0-9._+-]*([eE][0-9+-]*)?[0-9._]*", value) or re.fullmatch(r"0[xo].*", value)
    return value if plain and not number and not value.endswith(":") else json.dumps(value, ensure_ascii=False)


def manifest(name, kind, title, description, homepage, licence, citation, revision, files, note=None, access="open",
             steps=None, used_by=(), params=None, expect=None):
    lines = [f"name: {name}", f"kind: {kind}", f"title: {text(title)}", f"description: {text(description)}",
             f"homepage: {homepage}", f"licence: {text(licence)}"]
    if note:
        lines.append(f"licence_note: {json.dumps(note, ensure_ascii=False)}")
    lines += [f"citation: {text(citation)}", f"revision: {json.dumps(revision)}"]
    if access != "open":
        lines.append(f"access: {access}")
    if steps:
        lines += ["steps: |"] + [f"  {line}" for line in steps.strip().split("\n")]
    if used_by:
        lines.append(f"used_by: [{', '.join(used_by)}]")
    if params:
        lines.append(f"params: {{{', '.join(f'{k}: {flow(v)}' for k, v in params.items())}}}")
    if expect:
        lines.append(f"expect: {{{', '.join(f'{k}: {v}' for k, v in expect.items())}}}")
    (out / f"{name}.yaml").write_text("\n".join(lines + ["files:"] + sum(files, [])) + "\n")


def archive(kind, into, members=(), strip=0, provides=()):
    extra = [("unpack", kind), ("into", into)]
    if members:
        extra.append(("members", list(members)))
    if strip:
        extra.append(("strip", strip))
    if provides:
        extra.append(("provides", list(provides)))
    return extra


def data(name, item, file, path, title, description, homepage, licence, citation, revision, extra, **more):
    strength = more.pop("strength", "published")
    r = row(item, file)
    manifest(name, "data", title, description, homepage, licence, citation, revision,
             [served(r, path, strength, extra=extra)], **more)


# --- pictures of classes
manifest("mnist", "data", "MNIST", "70,000 handwritten digits of 28×28; zsad takes each digit as a domain",
         "http://yann.lecun.com/exdb/mnist/", "none stated", "lecun1998 (LeCun, Bottou, Bengio and Haffner, Proc. IEEE 1998)",
         "1998", [served(row("MNIST", f"{p}-{k}-ubyte.gz"), f"mnist/{p}-{k}-ubyte.gz")
                  for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")], used_by=["mnist"])
manifest("fashion_mnist", "data", "Fashion-MNIST", "70,000 pictures of clothing of 28×28; zsad takes each kind as a domain",
         "https://github.com/zalandoresearch/fashion-mnist", "MIT",
         "xiao2017fashion (Xiao, Rasul and Vollgraf, arXiv 1708.07747, 2017)", "2017",
         [served(row("Fashion-MNIST", f"{p}-{k}-ubyte.gz"), f"fashion_mnist/{p}-{k}-ubyte.gz")
          for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")], used_by=["fashion_mnist"])
manifest("omniglot", "data", "Omniglot",
         "1,623 handwritten characters of 50 alphabets, 20 drawings of each; zsad takes each character as a domain",
         "https://github.com/brendenlake/omniglot", "MIT",
         "lake2015human (Lake, Salakhutdinov and Tenenbaum, Science 2015)", "master",
         [served(row("Omniglot", f"{p}.zip"), f"omniglot/{p}.zip") for p in ("images_background", "images_evaluation")],
         used_by=["omniglot"])
KRIZHEVSKY = "krizhevsky2009learning (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009)"
CIFAR = "https://www.cs.toronto.edu/~kriz/cifar.html"
batches = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin", "batches.meta.txt"]
data("cifar10", "CIFAR-10", "cifar-10-binary.tar.gz", "cifar10/cifar-10-binary.tar.gz", "CIFAR-10",
     "60,000 colour images of 32×32 in 10 classes, binary version; zsad takes each class as a domain", CIFAR, "none stated",
     KRIZHEVSKY, "2009", archive("tar.gz", "cifar10", ["cifar-10-batches-bin/*"], 0,
                                 [f"cifar10/cifar-10-batches-bin/{b}" for b in batches]), used_by=["cifar10", "cifar10c"])
data("cifar100", "CIFAR-100", "cifar-100-binary.tar.gz", "cifar100/cifar-100-binary.tar.gz", "CIFAR-100",
     "60,000 colour images of 32×32 in 100 classes, binary version; zsad takes each class as a domain", CIFAR, "none stated",
     KRIZHEVSKY, "2009", archive("tar.gz", "cifar100", ["cifar-100-binary/*"], 0,
                                 [f"cifar100/cifar-100-binary/{b}" for b in ("train.bin", "test.bin", "fine_label_names.txt")]),
     used_by=["cifar100", "cifar100c"])
for n, item in ((10, "CIFAR-10-C"), (100, "CIFAR-100-C")):
    data(f"cifar{n}c", item, f"{item}.tar", f"{item}.tar", item,
         f"the test images of CIFAR-{n} under 19 corruptions in five strengths; zsad generates all but two of them where they "
         "are not there", "https://github.com/hendrycks/robustness", "CC BY 4.0",
         "hendrycks2019benchmarking (Hendrycks and Dietterich, ICLR 2019)",
         {10: "zenodo 2535967", 100: "zenodo 3555552"}[n], archive("tar", item, [f"{item}/*"], 1, [f"{item}/labels.npy"]),
         used_by=[f"cifar{n}c"])
MED = "yang2023medmnist (Yang, Shi, Wei, Liu, Zhao, Ke, Pfister and Ni, Scientific Data 2023)"
for size in ("", "_64", "_128", "_224"):
    data(f"organa{size}", "MedMNIST OrganA", f"organamnist{size}.npz", f"organa/organamnist{size}.npz",
         f"OrganAMNIST, {size[1:] or 28} pixels",
         "axial slices of CT scans with 11 organs, release of 2024 without blank images; zsad takes each organ as a domain",
         "https://medmnist.com", "CC BY 4.0", MED, "zenodo 10519652", (), used_by=["organa"],
         params={"size": int(size[1:])} if size else None)
data("organa_2022", "MedMNIST OrganA (v2.1, Zenodo 6496656)", "organamnist.npz", "organa_2022/organamnist.npz",
     "OrganAMNIST of 2022", "the release of 2022 with blank images, which papers before 2024 used; read with root: organa_2022",
     "https://medmnist.com", "CC BY 4.0", MED, "zenodo 6496656", (), used_by=["organa"],
     params={"root": "organa_2022"})

# --- products and surfaces
MVTEC = "https://www.mvtec.com/company/research/datasets/"
categories = ("bottle cable capsule carpet grid hazelnut leather metal_nut pill screw tile toothbrush transistor wood "
              "zipper").split()
data("mvtec", "MVTec AD", "mvtec_anomaly_detection.tar.xz", "mvtec_ad/mvtec_anomaly_detection.tar.xz", "MVTec AD",
     "15 kinds of products and textures with masks of their defects; zsad takes each as a domain", MVTEC + "mvtec-ad",
     "CC BY-NC-SA 4.0", "bergmann2019mvtec (Bergmann, Fauser, Sattlegger and Steger, CVPR 2019)", "420938113-1629960298",
     archive("tar.xz", "mvtec_ad", [], 0, [f"mvtec_ad/{c}" for c in categories]), access="accept_licence", used_by=["mvtec"],
     params={"roots": ["mvtec_ad"]}, expect={"samples": 5354, "domains": 15})
data("mvtec_3d", "MVTec 3D-AD", "mvtec_3d_anomaly_detection.tar.xz", "mvtec_3d/mvtec_3d_anomaly_detection.tar.xz",
     "MVTec 3D-AD", "ten kinds of products as pictures and depth maps; no data set of zsad reads it yet", MVTEC + "mvtec-3d-ad",
     "CC BY-NC-SA 4.0", "bergmann2022mvtec3d (Bergmann, Jin, Sattlegger and Steger, VISAPP 2022)", "428824485-1643299897",
     archive("tar.xz", "mvtec_3d"), access="accept_licence")
data("mvtec_loco", "MVTec LOCO AD", "mvtec_loco_anomaly_detection.tar.xz", "mvtec_loco/mvtec_loco_anomaly_detection.tar.xz",
     "MVTec LOCO AD", "five kinds of products with structural and logical anomalies; no data set of zsad reads it yet",
     MVTEC + "mvtec-loco", "CC BY-NC-SA 4.0", "bergmann2022beyond (Bergmann, Batzner, Fauser, Sattlegger and Steger, IJCV 2022)",
     "430647091-1646842701", archive("tar.xz", "mvtec_loco"), access="accept_licence")
data("mvtec_ad_2", "MVTec AD 2", "mvtec_ad_2.tar.gz", "mvtec_ad_2/mvtec_ad_2.tar.gz", "MVTec AD 2",
     "eight kinds of products under changing light, 33 GB; no data set of zsad reads it yet", MVTEC + "mvtec-ad-2",
     "CC BY-NC-SA 4.0", "heckler2025mvtec2 (Heckler-Kram, Neudeck, Scheler, König and Steger, 2025)", "466712769-1743429042",
     archive("tar.gz", "mvtec_ad_2"), access="accept_licence")
data("visa", "VisA", "VisA_20220922.tar", "visa/VisA_20220922.tar", "VisA",
     "12 kinds of products with masks of their defects; zsad takes each as a domain",
     "https://github.com/amazon-science/spot-diff", "CC BY 4.0",
     "zou2022spot (Zou, Jeong, Pemula, Zhang and Dabeer, ECCV 2022)", "2022-09-22",
     archive("tar", "visa", [], 0, ["visa/split_csv/1cls.csv"]),
     note="anomalib says CC BY-NC-SA 4.0; the authors' README does not", used_by=["visa", "mvtec"],
     expect={"samples": 10821, "domains": 12})
data("btad", "BTAD", "btad.zip", "btad/btad.zip", "BTAD", "three industrial products with masks of their defects",
     "https://github.com/pankajmishra000/VT-ADL", "CC BY-SA 4.0",
     "mishra2021vtadl (Mishra, Verk, Fornasier, Piciarelli and Foresti, ISIE 2021)", "2021",
     archive("zip", "btad", [], 0, [f"btad/BTech_Dataset_transformed/{p}" for p in ("01", "02", "03")]),
     note="anomalib says CC BY-NC-SA 4.0; the authors' README says CC BY-SA 4.0", used_by=["btad", "mvtec"],
     expect={"domains": 3})
data("kolektor", "KolektorSDD", "KolektorSDD.zip", "kolektor/KolektorSDD.zip", "KolektorSDD",
     "surfaces of 50 electrical commutators with masks of their cracks", "https://www.vicos.si/resources/kolektorsdd/",
     "CC BY-NC-SA 4.0", "tabernik2020segmentation (Tabernik, Šela, Skvarč and Skočaj, J. Intell. Manuf. 2020)", "2019",
     archive("zip", "kolektor", [], 0, [f"kolektor/kos{i:02}" for i in (1, 50)]), access="accept_licence",
     used_by=["kolektor", "mvtec"], expect={"domains": 1})
data("kolektor2", "KolektorSDD2", "KolektorSDD2.zip", "kolektor2/KolektorSDD2.zip", "KolektorSDD2",
     "surfaces of one product, 2,331 training and 1,004 test pictures with masks of their defects",
     "https://www.vicos.si/resources/kolektorsdd2/", "CC BY-NC-SA 4.0",
     "bozic2021mixed (Božič, Tabernik and Skočaj, Computers in Industry 2021)", "2021",
     archive("zip", "kolektor2", [], 0, ["kolektor2/train", "kolektor2/test"]), access="accept_licence",
     used_by=["kolektor", "mvtec"], params={"version": 2}, expect={"domains": 1})
drive = row("DTD-Synthetic", "")["url"]
manifest("dtd_synthetic", "data", "DTD-Synthetic", "textures with generated defects and their masks, in the layout of MVTec AD",
         drive, "none stated",
         "aota2023zero (Aota, Tong and Okatani, WACV 2023)", "2023",
         [served(None, "dtd_synthetic/DTD-Synthetic.zip", urls=False, extra=archive("zip", "dtd_synthetic"))],
         access="manual", used_by=["mvtec"], params={"roots": ["dtd_synthetic"]}, steps=f"""
Open {drive} in a browser and download the folder: it comes as one zip.
Then: zsad data add dtd_synthetic --from THAT.zip
Use it as: mvtec with roots: [dtd_synthetic]
""")
page = row("Real-IAD", "")["url"]
manifest("real_iad", "data", "Real-IAD", "30 kinds of products from five views, over 150,000 pictures; no data set of zsad reads it yet",
         page, "CC BY-NC-SA 4.0", "wang2024realiad (Wang et al., CVPR 2024)", "2024",
         [served(None, "real_iad/realiad_256.zip", urls=False, extra=archive("zip", "real_iad"))], access="manual",
         note="signed terms as well", steps=f"""
Log in at {page}, accept the terms, and wait for access (weeks are reported).
Download the zip of the resolution that you want.
Then: zsad data add real_iad --from THAT.zip
""")

# --- tables
data("anoshift", "AnoShift", "Kyoto-2016_AnoShift.tar", "anoshift/Kyoto-2016_AnoShift.tar", "AnoShift",
     "ten years of network traffic (Kyoto-2006+), each a domain; the file is a zip, whatever its name",
     "https://github.com/bit-ml/AnoShift", "none stated",
     "dragoi2022anoshift (Drăgoi, Burceanu, Haller, Manolache and Brad, NeurIPS 2022)", "2022",
     archive("zip", "anoshift", ["*subset/*"], 0,
             ["anoshift/Kyoto-2016_AnoShift/subset"]), note="the code is BSD-3-Clause; of the data nothing is said",
     used_by=["anoshift"])
ADBENCH = dict(homepage="https://github.com/Minqi824/ADBench", licence="BSD-2-Clause",
               citation="han2022adbench (Han, Hu, Huang, Jiang and Zhao, NeurIPS 2022)",
               revision="3dac8221081e190f157d78e93bfa8867f90d0965", note="the repository's licence; each set has its own")


def adbench(name, item, folder, title, description, wanted=lambda file: True, used_by=("adbench",), params=None):
    found = [r for r in rows if r["item"] == item and wanted(r["file"])]
    files = [served(r, f"{folder}/{r['file']}", compact=True) for r in found]
    manifest(name, "data", title, description, files=files, used_by=used_by, params=params, expect={"domains": len(found)}, **ADBENCH)


adbench("adbench", "ADBench classical", "adbench_classical", "ADBench, classical tables",
        "47 tables with genuine anomalies; zsad takes each as a domain")
adbench("adbench_features", "ADBench CV ResNet-18 embeddings", "adbench_mvtec_resnet18", "ADBench, MVTec AD as ResNet-18 features",
        "15 categories of MVTec AD as 512 features an image; zsad takes each as a domain",
        lambda f: f.startswith("MVTec-AD_"), ("adbench_features",))
adbench("adbench_cv_resnet18", "ADBench CV ResNet-18 embeddings", "adbench_cv_resnet18", "ADBench, images as ResNet-18 features",
        "61 sets of image features", params={"root": "adbench_cv_resnet18"})
adbench("adbench_cv_vit", "ADBench CV ViT embeddings", "adbench_cv_vit", "ADBench, images as ViT features",
        "61 sets of image features", params={"root": "adbench_cv_vit"})
adbench("adbench_nlp_bert", "ADBench NLP BERT embeddings", "adbench_nlp_bert", "ADBench, texts as BERT features",
        "13 sets of text features", params={"root": "adbench_nlp_bert"})
adbench("adbench_nlp_roberta", "ADBench NLP RoBERTa embeddings", "adbench_nlp_roberta", "ADBench, texts as RoBERTa features",
        "13 sets of text features", params={"root": "adbench_nlp_roberta"})
manifest("nsl_kdd", "data", "NSL-KDD", "network connections with attacks; zsad takes each service as a domain",
         "https://www.unb.ca/cic/datasets/nsl.html", "none stated",
         "tavallaee2009detailed (Tavallaee, Bagheri, Lu and Ghorbani, CISDA 2009)", "2009",
         [served(row("NSL-KDD", f), f"nsl_kdd/{f}") for f in ("KDDTrain+_20Percent.txt", "KDDTrain+.txt", "KDDTest+.txt")],
         note="the publisher's page asks for the citation", used_by=["nsl_kdd"])
data("gas_drift", "Gas sensor array drift", "", "gas_drift/gas_sensor_array_drift_dataset.zip",
     "Gas sensor array drift", "ten batches of measurements over 36 months; zsad takes each batch and gas as a domain",
     "https://archive.ics.uci.edu/dataset/224/gas+sensor+array+drift+dataset", "CC BY 4.0",
     "vergara2012chemical (Vergara, Vembu, Ayhan, Ryan, Homer and Huerta, Sensors and Actuators B 2012)", "UCI 224",
     archive("zip", "gas_drift", ["*batch*.dat"], 1, [f"gas_drift/batch{i}.dat" for i in range(1, 11)]), used_by=["gas_drift"])

# --- series and logs: kept for what reads them
smd = [r for r in rows if r["item"] == "SMD"]
manifest("smd", "data", "Server Machine Dataset", "28 servers' measurements with labelled anomalies; no data set of zsad reads it yet",
         "https://github.com/NetManAIOps/OmniAnomaly", "MIT", "su2019robust (Su, Zhao, Niu, Liu, Sun and Pei, KDD 2019)",
         "7fb0e0acf89ea49908896bcc9f9e80fcfff6baf4",
         [served(r, "smd/" + r["url"].split("ServerMachineDataset/")[1], compact=True) for r in smd])
nab = [r for r in rows if r["item"] == "NAB"]
place = lambda r: "nab/" + r["url"].split("ea702d75cc2258d9d7dd35ca8e5e2539d71f3140/")[1].removeprefix("data/")
manifest("nab", "data", "Numenta Anomaly Benchmark", "58 series of one variable with labelled windows; no data set of zsad reads it yet",
         "https://github.com/numenta/NAB", "MIT", "lavin2015evaluating (Lavin and Ahmad, ICMLA 2015)",
         "ea702d75cc2258d9d7dd35ca8e5e2539d71f3140", [served(r, place(r), compact=True) for r in nab])
manifest("smap_msl", "data", "SMAP and MSL", "telemetry of two spacecraft with labelled anomalies; no data set of zsad reads it yet",
         "https://github.com/khundman/telemanom", "Caltech/JPL licence in the repository",
         "hundman2018detecting (Hundman, Constantinou, Laporte, Colwell and Soderstrom, KDD 2018)",
         "2e6c5b6c3558e7835601519b7bdef37c649bdbdc",
         [served(row("SMAP/MSL", "data.zip"), "smap_msl/data.zip", extra=archive("zip", "smap_msl", [], 1,
                                                                                ["smap_msl/train", "smap_msl/test"])),
          served(row("SMAP/MSL", "labeled_anomalies.csv"), "smap_msl/labeled_anomalies.csv")])
for part, count in (("U", 870), ("M", 200)):
    data(f"tsb_ad_{part.lower()}", f"TSB-AD-{part}", f"TSB-AD-{part}.zip", f"tsb_ad/TSB-AD-{part}.zip", f"TSB-AD-{part}",
         f"{count} labelled series of {'one variable' if part == 'U' else 'several variables'}; no data set of zsad reads it yet",
         "https://github.com/TheDatumOrg/TSB-AD", "Apache-2.0", "liu2024elephant (Liu and Paparrizos, NeurIPS 2024)", "2026-05-10",
         archive("zip", "tsb_ad", [], 0, [f"tsb_ad/TSB-AD-{part}"]), note="of the curation; each source has its own")
for name, what in (("BGL", "the log of a Blue Gene/L with labelled lines"), ("HDFS_v1", "the log of a Hadoop cluster with labelled blocks")):
    short = name.split("_")[0].lower()
    data(f"loghub_{short}", "LogHub", f"{name}.zip", f"loghub/{short}/{name}.zip", f"LogHub {short.upper()}",
         f"{what}; no data set of zsad reads it yet", "https://github.com/logpai/loghub", "CC BY 4.0",
         "zhu2023loghub (Zhu, He, He, Liu and Lyu, ISSRE 2023)", "zenodo 8196385", archive("zip", f"loghub/{short}"),
         note="the repository's README says: for research or academic work")

# --- weights
HE = "he2016deep (He, Zhang, Ren and Sun, CVPR 2016)"
WRN = "zagoruyko2016wide (Zagoruyko and Komodakis, BMVC 2016)"
LITE = "tan2019efficientnet (Tan and Le, ICML 2019; EfficientNet-Lite, 2020)"
REVISIONS = {"resnet18.a1_in1k": "491b427b45c94c7fb0e78b5474cc919aff584bbf",
             "resnet18.tv_in1k": "bbd144b3e5565108aad885f145491d11bc6ce807",
             "resnet50.tv_in1k": "78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
             "wide_resnet50_2.racm_in1k": "30f73aceaaa1911830a9795b83ab1908dba18719",
             "vit_small_patch14_dinov2.lvd142m": "4476dc0c66daca2ef4a40d2625b4a7063f02b685",
             "vit_base_patch14_dinov2.lvd142m": "4685c99dabffe5affac90bd99dbffd25801ae58d",
             "vit_large_patch14_clip_336.openai": "81e38efc4637de5023b10e75a7f9bd1c6fa6b010",
             "vit_base_patch16_clip_224.openai": "977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d"}


def revision(model, source):
    """The commit, where the table names one that is whole."""
    commit = REVISIONS.get(model)
    if commit:
        assert commit in source, model
    return commit or "main"


def timm(model, title, description, citation, used_by=(), file="model.safetensors", path=None, strength="published", more=()):
    r = row(f"timm/{model}", file)
    name = model.replace(".", "_")
    hub = {"repo": f"timm/{model}", "file": file}
    manifest(name, "weights", title, description, f"https://huggingface.co/timm/{model}", r["licence"].split(" on the card")[0],
             citation, revision(model, r["source"] + r["unpacks_to"]),
             [served(r, path or f"weights/{model}.safetensors", strength, urls=False, hub=hub)] + list(more), used_by=used_by,
             note="Apache-2.0 is the card's word; the weights' authors say MIT" if "on the card" in r["licence"] else None)


TV, A1 = "torchvision's first weights", "timm's recipe A1"
for model, title, words, cite in (
        ("resnet18", "ResNet-18", {"tv_in1k": TV, "a1_in1k": A1}, HE),
        ("resnet50", "ResNet-50", {"tv_in1k": TV, "a1_in1k": A1}, HE),
        ("resnet152", "ResNet-152", {"tv_in1k": TV, "a1_in1k": A1}, HE),
        ("wide_resnet50_2", "Wide ResNet-50-2", {"tv_in1k": TV, "racm_in1k": "timm's recipe racm, which ResAD's authors use"}, WRN),
        ("efficientnet_lite0", "EfficientNet-Lite0", {"ra_in1k": "timm's own training"}, LITE),
        ("tf_efficientnet_lite0", "EfficientNet-Lite0", {"in1k": "Google's weights"}, LITE)):
    for tag, what in words.items():
        once = (model, tag) == ("wide_resnet50_2", "tv_in1k")
        recipe = tag.removesuffix("_in1k")
        used = [f"{model}_{recipe}"] if recipe in ("a1", "ra", "racm") else [model.removeprefix("tf_")]
        timm(f"{model}.{tag}", f"{title} ({tag})", f"{what}, trained on ImageNet-1k", cite, used,
             strength="computed_once" if once else "published")
DINO = "oquab2023dinov2 (Oquab et al., TMLR 2024)"
timm("vit_small_patch14_dinov2.lvd142m", "DINOv2 ViT-S/14", "features without labels; for methods on patches to come", DINO)
timm("vit_base_patch14_dinov2.lvd142m", "DINOv2 ViT-B/14", "features without labels; for methods on patches to come", DINO)
timm("vit_base_patch14_reg4_dinov2.lvd142m", "DINOv2 ViT-B/14 with registers",
     "features without labels, with four registers; for methods on patches to come", DINO + ", darcet2024registers")
r = row("DINOv2 ViT-S/14 reg4", "")
manifest("vit_small_patch14_reg4_dinov2", "weights", "DINOv2 ViT-S/14 with registers",
         "features without labels, with four registers, by the authors' names of tensors; for methods on patches to come",
         "https://github.com/facebookresearch/dinov2", "Apache-2.0", DINO + ", darcet2024registers", "2023",
         [served(r, "weights/dinov2_vits14_reg4_pretrain.pth", "computed_once")])
CLIP = "radford2021clip (Radford et al., ICML 2021)"
# Of the tokenizer the table has no row: its SHA-256 and length are those of the copy in the package open_clip_torch 3.3.0.
TOKENIZER = ["  - path: weights/clip_bpe_simple_vocab_16e6.txt.gz", "    urls:",
             "      - https://raw.githubusercontent.com/openai/CLIP/d05afc436d78f1c48dc0dbf8e5980a9d471f35f6/clip/bpe_simple_vocab_16e6.txt.gz",
             "    size: 1356917", "    sha256: 924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
             "    strength: published"]
timm("vit_base_patch16_clip_224.openai", "CLIP ViT-B/16", "both towers and the tokenizer's words; for methods with texts to come", CLIP,
     file="open_clip_model.safetensors", more=[TOKENIZER])
timm("vit_large_patch14_clip_336.openai", "CLIP ViT-L/14 at 336 pixels",
     "both towers and the tokenizer's words; for methods with texts to come", CLIP, file="open_clip_model.safetensors", more=[TOKENIZER])
r = row("LAION CLIP ViT-B/16+ 240 (WinCLIP)", "vit_b_16_plus_240-laion400m_e31-8fb26589.pt")
r = dict(r, url=r["url"].split()[0])  # the second address is another file
manifest("vit_base_patch16_plus_clip_240_laion400m_e31", "weights", "CLIP ViT-B/16+ at 240 pixels (LAION-400M)",
         "both towers and the tokenizer's words; WinCLIP's network, for methods with texts to come",
         "https://github.com/mlfoundations/open_clip", "MIT", "ilharco2021openclip (Ilharco et al., OpenCLIP, 2021)", "v0.2-weights",
         [served(r, "weights/vit_b_16_plus_240-laion400m_e31-8fb26589.pt"), TOKENIZER])

names = sorted(p.stem for p in out.glob("*.yaml"))
print(",\n    ".join(f'"{n}"' for n in names))
