//! What tables are printed as: one small file a format.

mod html;
mod latex;
mod markdown;
mod terminal;

use std::path::Path;

use polars_core::prelude::{DataFrame, PolarsResult};
use zsad_core::{Error, Result, file};

use crate::sheet::Sheet;
pub use html::Html;
pub(crate) use html::{blocks, is_long};
pub use latex::Latex;
pub use markdown::Markdown;
pub use terminal::Terminal;

/// A format for people.
pub trait Exporter {
    /// The page in this format.
    #[doc(hidden)]
    fn page(&self, sheet: &Sheet) -> String;
}

/// A table as a page for people and as lines for machines.
pub trait Printed {
    /// The page, in per cent.
    #[doc(hidden)]
    fn sheet(&self) -> &Sheet;

    /// The lines.
    #[doc(hidden)]
    fn frame(&self) -> PolarsResult<DataFrame>;

    /// The page in a format.
    fn print(&self, format: &dyn Exporter) -> String {
        format.page(self.sheet())
    }

    /// One line a number, at full precision, holes empty.
    ///
    /// # Errors
    /// [`Error::Failed`] where the table cannot be built.
    fn to_csv(&self) -> Result<String> {
        let bytes = self.frame().and_then(|mut f| zsad_store::to_csv(&mut f)).map_err(Error::failed)?;
        String::from_utf8(bytes).map_err(Error::failed)
    }

    /// The lines of [`Printed::to_csv`] as Parquet.
    ///
    /// # Errors
    /// [`Error::Data`] where the file cannot be written.
    fn write_parquet(&self, path: &Path) -> Result<()> {
        let bytes = self.frame().and_then(|mut f| zsad_store::to_parquet(&mut f)).map_err(Error::failed)?;
        file::write(path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::latex::tex;
    use super::markdown::markdown;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a cell says, a Markdown line keeps its number of columns and a LaTeX line has no live command.
        #[test]
        fn any_text_stays_inside_its_cell(text in any::<String>()) {
            let md = markdown(&text);
            let bare = md.replace("\\\\", "").replace("\\|", "");
            prop_assert!(!bare.contains('|') && !md.contains('\n'));
            let latex = tex(&text).replace("\\textbackslash{}", "").replace("\\textasciitilde{}", "")
                .replace("\\textasciicircum{}", "").replace("\\ldots{}", "");
            for special in ['&', '%', '#', '_', '{', '}'] {
                let live = latex.replace(&format!("\\{special}"), "").contains(special);
                prop_assert!(!live, "{special} in {latex}");
            }
            prop_assert!(!latex.contains('\n'));
        }
    }
}
