#!/usr/bin/env python3
"""Archives for the tests of crates/fetch, made by Python's own modules: make_archive_fixtures.py FOLDER."""
import io
import stat
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
LONG = "bottle/" + "x" * 120 + "/" + "y" * 150 + ".txt"
FILES = [("readme.txt", b"read me"), ("bottle/train/good/000.png", b"a picture"), ("bottle/test/crack/000.png", b"cracked"),
         ("cable/train/good/000.png", b"another"), (LONG, b"long")]


def tar(name, members, mode="w", **options):
    with tarfile.open(out / name, mode, **options) as archive:
        for member, content in members:
            if isinstance(member, str):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                info.mode = 0o444  # as in MVTec AD: nobody may write
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.addfile(member, None)


def special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_(name, members, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(out / name, "w", how) as archive:
        for member, content in members:
            archive.writestr(member, content)


def unix(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


folder = [(special("bottle", tarfile.DIRTYPE), b""), (special("bottle/train", tarfile.DIRTYPE), b"")]
tar("good_gnu.tar", folder + FILES, format=tarfile.GNU_FORMAT)
tar("good_pax.tar", folder + FILES, format=tarfile.PAX_FORMAT, pax_headers={"comment": "all of them"})
tar("good.tar.gz", FILES, "w:gz")
tar("good.tar.xz", FILES, "w:xz")
zip_("good.zip", [("bottle/", b"")] + FILES)
zip_("stored.zip", FILES, zipfile.ZIP_STORED)

inside = ("fine.txt", b"fine")
tar("traversal.tar", [inside, ("a/../../out.txt", b"x")])
tar("absolute.tar", [inside, ("/tmp/zsad_out.txt", b"x")])
tar("backslash.tar", [inside, ("..\\out.txt", b"x")])
tar("drive.tar", [inside, ("C:out.txt", b"x")])
tar("symlink.tar", [inside, (special("link", tarfile.SYMTYPE, "/etc"), b""), ("link/passwd", b"x")])
tar("hardlink.tar", [inside, (special("link", tarfile.LNKTYPE, "../secret"), b"")])
tar("device.tar", [inside, (special("null", tarfile.CHRTYPE), b"")])
tar("fifo.tar", [inside, (special("pipe", tarfile.FIFOTYPE), b"")])
tar("twice.tar", [inside, ("./fine.txt", b"other")])
tar("name.tar", [inside, ("n" * 5000, b"x")])
tar("both.tar", [inside, ("fine.txt/below.txt", b"x")])
tar("bomb.tar.gz", [inside, ("zeros", bytes(8 << 20))], "w:gz")
tar("bomb.tar.xz", [inside, ("zeros", bytes(8 << 20))], "w:xz")

zip_("traversal.zip", [inside, ("../out.txt", b"x")])
zip_("absolute.zip", [inside, ("/tmp/zsad_out.txt", b"x")])
zip_("symlink.zip", [inside, (unix("link", stat.S_IFLNK | 0o777), b"/etc")])
zip_("fifo.zip", [inside, (unix("pipe", stat.S_IFIFO | 0o644), b"")])
zip_("bomb.zip", [inside, ("zeros", bytes(8 << 20))])
warnings.simplefilter("ignore")
zip_("twice.zip", [inside, ("fine.txt", b"other")])
# The archive says 10 bytes in both headers where there are 8 MiB.
whole = (out / "bomb.zip").read_bytes()
size = (8 << 20).to_bytes(4, "little")
assert whole.count(size) == 2
(out / "lying.zip").write_bytes(whole.replace(size, (10).to_bytes(4, "little")))
