//! The error of this crate: what candle says, what zsad says, and shapes that do not fit.

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with tensors. Converts from candle's and zsad's errors, and into zsad's, so that `?` works
/// throughout a method.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// candle refused an operation.
    #[error("{0}")]
    Candle(#[from] candle_core::Error),
    /// An error of the other parts of zsad, passed through.
    #[error(transparent)]
    Core(#[from] zsad_core::Error),
    /// A shape that does not fit; the text names the operation, what it wants and what it got.
    #[error("{0}")]
    Shape(String),
    /// The loss or a gradient stopped being finite.
    #[error("{0}")]
    NonFinite(String),
}

impl From<Error> for zsad_core::Error {
    fn from(e: Error) -> Self {
        match e {
            Error::Core(e) => e,
            other => zsad_core::Error::failed(other),
        }
    }
}

/// Returns a [`Error::Shape`] with a formatted text.
macro_rules! bail_shape {
    ($($arg:tt)*) => { return Err($crate::Error::Shape(format!($($arg)*))) };
}
pub(crate) use bail_shape;
