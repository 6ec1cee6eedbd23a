//! The pictures that lie in the folder of a run, made small: a batch as each method ranks it, and anomaly maps.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::imageops::{self, FilterType};

use super::jpeg;
use super::markup::Markup;
use super::run::Run;

/// Pixels across; what is wider is made smaller.
const WIDTH: u32 = 900;
/// Bytes that the pictures of a run may take, encoded.
const BUDGET: usize = 1_000_000;

/// Pictures of one kind.
struct Kind {
    title: &'static str,
    /// Where they lie below the folder of plots.
    folder: &'static str,
    /// How their names begin.
    prefix: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind { title: "A typical batch as each method ranks it", folder: "", prefix: "ranked_" },
    Kind { title: "Images, anomaly maps and overlays", folder: "heatmaps", prefix: "" },
];

/// The pictures, each kind to be folded away; nothing where there are none.
pub(super) fn section(html: &mut Markup, run: &Run) {
    let mut bytes = 0;
    for kind in &KINDS {
        let paths = kind.paths(run.folder.root());
        if paths.is_empty() {
            continue;
        }
        html.element("details", &[("class", &"sheets"), ("open", &"")], |html| {
            html.leaf("summary", &[], kind.title);
            for path in &paths {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                let name = name.strip_prefix(kind.prefix).unwrap_or(&name);
                let Some(source) = source(path).filter(|source| bytes + source.len() <= BUDGET) else {
                    html.leaf("p", &[("class", &"note")], format_args!("{name} is left out: damaged, or too much."));
                    continue;
                };
                bytes += source.len();
                html.element("figure", &[], |html| {
                    html.leaf("figcaption", &[], name);
                    html.void("img", &[("src", &source), ("alt", &format_args!("{}: {name}", kind.title))]);
                });
            }
        });
        html.line();
    }
}

impl Kind {
    /// The files, in their order.
    fn paths(&self, out: &Path) -> Vec<PathBuf> {
        let Ok(listed) = std::fs::read_dir(out.join("plots").join(self.folder)) else { return Vec::new() };
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(self.prefix) && name.ends_with(".png")
        };
        let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).filter(is_one).collect();
        paths.sort();
        paths
    }
}

/// A picture as the address of an image; `None` where it is none.
fn source(path: &Path) -> Option<String> {
    let whole = image::open(path).ok()?.to_rgb8();
    let width = whole.width().min(WIDTH);
    let height = (u64::from(whole.height()) * u64::from(width) / u64::from(whole.width().max(1))).max(1) as u32;
    let small = imageops::resize(&whole, width, height, FilterType::Triangle);
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg(&small).ok()?)))
}
