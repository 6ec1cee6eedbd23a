//! What can be printed in every format.

use std::path::Path;

use polars::prelude::{DataFrame, PolarsResult};
use zsad_core::{Error, Result, file};

use crate::frame;
use crate::sheet::Sheet;

/// A table as a page for people and as lines for machines.
pub trait Printed {
    /// The page, in per cent.
    #[doc(hidden)]
    fn sheet(&self) -> &Sheet;

    /// The lines.
    #[doc(hidden)]
    fn frame(&self) -> PolarsResult<DataFrame>;

    /// GitHub Markdown.
    fn to_markdown(&self) -> String {
        self.sheet().to_markdown()
    }

    /// LaTeX with `booktabs`.
    fn to_tex(&self) -> String {
        self.sheet().to_tex()
    }

    /// Aligned plain text.
    fn to_terminal(&self) -> String {
        self.sheet().to_terminal()
    }

    /// One line a number, at full precision, holes empty.
    ///
    /// # Errors
    /// [`Error::Failed`] where the table cannot be built.
    fn to_csv(&self) -> Result<String> {
        let bytes = self.frame().and_then(|mut f| frame::to_csv(&mut f)).map_err(Error::failed)?;
        String::from_utf8(bytes).map_err(Error::failed)
    }

    /// The lines of [`Printed::to_csv`] as Parquet.
    ///
    /// # Errors
    /// [`Error::Data`] where the file cannot be written.
    fn write_parquet(&self, path: &Path) -> Result<()> {
        let bytes = self.frame().and_then(|mut f| frame::to_parquet(&mut f)).map_err(Error::failed)?;
        file::write(path, &bytes)
    }
}
