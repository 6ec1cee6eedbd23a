use super::*;
use crate::testing::{fits, omniglot, sweep};

fn bytes(paths: &[PathBuf]) -> Vec<(String, Vec<u8>)> {
    let one = |p: &PathBuf| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(p).unwrap());
    paths.iter().map(one).collect()
}

/// Where `ZSAD_LOOK` names a folder the figures stay there to be looked at.
fn write(rows: &[Row], fits: &[Training], name: &str) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("ZSAD_LOOK").map_or(dir.path().to_owned(), |d| PathBuf::from(d).join(name));
    bytes(&write_all(&folder, rows, fits, &[], &Style::default()).unwrap())
}

#[test]
fn a_run_gives_its_figures_with_the_same_bytes_twice() {
    let (rows, fits) = (omniglot(), fits());
    let first = write(&rows, &fits, "omniglot");
    let names: Vec<_> = first.iter().map(|(n, _)| n.as_str()).collect();
    let expected = ["auroc_contamination_omniglot", "domains_omniglot", "ranks", "wins", "loss_omniglot"]
        .map(|n| [format!("{n}.svg"), format!("{n}.png")]);
    assert_eq!(names, expected.concat());
    let mut shuffled = rows.clone();
    shuffled.reverse();
    assert_eq!(first, write(&shuffled, &fits, "omniglot"));
}

#[test]
fn figures_hold_their_methods_and_axes_and_no_picture_is_blank() {
    for (name, content) in write(&sweep(), &[], "sweep") {
        if name.ends_with(".svg") {
            let svg = String::from_utf8(content).unwrap();
            for word in ["AUROC (%)", "acr_dsvdd", "mahalanobis", "sweep", "95 % intervals"] {
                let elsewhere = match word {
                    "AUROC (%)" => ["ranks", "wins"].iter().any(|n| name.starts_with(n)),
                    "95 % intervals" => !name.starts_with("auroc"),
                    _ => false,
                };
                assert!(svg.contains(word) || elsewhere, "{word} in {name}");
            }
        } else {
            let picture = image::load_from_memory(&content).unwrap().to_rgb8();
            let colors: BTreeSet<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
            assert!(picture.width() > 900 && colors.len() > 100, "{name}: {} colours", colors.len());
            // The methods' colours are there, but for the shades of wins, and they lie between the white margins.
            let own = [[0x00, 0x72, 0xb2], [0xd5, 0x5e, 0x00]].iter().all(|c| colors.contains(c));
            assert!(own || ["ranks", "wins"].iter().any(|n| name.starts_with(n)), "{name}");
            assert!(picture.rows().next().unwrap().all(|p| p.0 == [255; 3]), "{name}");
        }
    }
}

#[test]
fn nothing_varies_nothing_is_drawn() {
    let written = write(&[crate::testing::row().into()], &[], "single");
    assert_eq!(
        written.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(),
        ["domains_digits.svg", "domains_digits.png"]
    );
    assert!(write(&[], &[], "none").is_empty());
}

#[test]
fn a_parameter_with_three_values_is_drawn_along_an_axis_of_its_own() {
    let at = |steps: u32, augment: &str, seed| crate::testing::Flat {
        method: "acr_dsvdd".into(),
        params: serde_json::json!({ "augment": augment, "steps": steps }).to_string(),
        seed,
        cell_key: format!("{steps}{augment}{seed}"),
        metrics: crate::testing::metrics(&[("auroc", 0.9 - 0.0001 * f64::from(steps))]),
        ..crate::testing::row()
    };
    let mut rows: Vec<Row> = vec![crate::testing::row().into()];
    for (steps, augment) in [(50, "none"), (150, "none"), (1500, "none"), (50, "flip"), (1500, "flip")] {
        rows.extend([at(steps, augment, 0).into(), at(steps, augment, 1).into()]);
    }
    let written = write(&rows, &[], "parameter");
    let (_, svg) = written.iter().find(|(name, _)| name == "auroc_acr_dsvdd_steps_digits.svg").unwrap();
    let svg = String::from_utf8(svg.clone()).unwrap();
    assert!(["steps (log scale)", "1500", "AUROC (%)"].iter().all(|word| svg.contains(word)));
    // Two places make no line.
    assert!(!svg.contains("augment=flip"), "{svg}");
}

#[test]
fn a_pdf_is_drawn_for_a_column_of_a_paper() {
    let dir = tempfile::tempdir().unwrap();
    let style = Style { formats: vec![Format::Pdf, Format::Svg], title: false, width: Some(85.0) };
    let written = write_all(dir.path(), &sweep(), &fits(), &[], &style).unwrap();
    for (name, content) in bytes(&written) {
        if name.ends_with(".svg") {
            let svg = String::from_utf8(content).unwrap();
            assert!(svg.contains("width=\"85mm\"") && !svg.contains("95 % intervals"), "{name}");
        } else {
            assert!(content.starts_with(b"%PDF-") && content.ends_with(b"%%EOF"), "{name}");
            // 85 mm are 240.9 points.
            let text = String::from_utf8_lossy(&content);
            assert!(text.contains("/MediaBox [0 0 240.9"), "{name}: {}", &text[..300.min(text.len())]);
        }
    }
    assert_eq!(bytes(&written), bytes(&write_all(dir.path(), &sweep(), &fits(), &[], &style).unwrap()));
}
