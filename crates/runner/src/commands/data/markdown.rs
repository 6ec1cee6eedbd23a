//! The table of data sets and weights for documents.

use zsad_data::manifest::{Access, Manifest};

use super::size;

/// A table in Markdown, one line an item: title and homepage, size as it is served, licence, the command, who reads it.
pub fn table<'a>(manifests: impl IntoIterator<Item = &'a Manifest>) -> String {
    let mut text = "| | size | licence | `zsad data fetch …` | read by |\n|---|---|---|---|---|\n".to_owned();
    for m in manifests {
        let command = match m.access {
            Access::Open => format!("`{}`", m.name),
            Access::AcceptLicence => format!("`{} --accept-licence`", m.name),
            Access::Manual => format!("by hand: `zsad data describe {}`", m.name),
        };
        let readers: Vec<String> = m.used_by.iter().map(|used| format!("`{used}`")).collect();
        let cells = [format!("[{}]({})", m.title, m.homepage), size(m), m.licence.clone(), command, readers.join(", ")];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_table_of_all_manifests() {
        let wanted = table(&zsad_data::manifest::all().unwrap());
        let readme = include_str!("../../../../../README.md");
        assert!(readme.contains(&wanted), "put the output of `zsad data list --format md` into README.md:\n{wanted}");
    }
}
