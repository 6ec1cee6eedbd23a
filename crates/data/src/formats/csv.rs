//! CSV files: what separates their fields, and how their rows are read, all at once or some at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars_core::prelude::*;
use polars_io::prelude::*;
use rayon::prelude::*;
use zsad_core::{Error, Result};

use super::blocks::Blocks;

/// Rows from which the types of columns are guessed before all rows are looked at.
const HEAD: usize = 1000;
/// Bytes of a header that are looked at.
const HEADER: u64 = 16 << 20;
/// Bytes that are read at once where the file is not read whole.
const BLOCK: usize = 4 << 20;
/// What stands for no value, beside an empty field.
const MISSING: [&str; 5] = ["NA", "?", "nan", "NaN", "NAN"];
/// What may separate fields; the comma comes first, and wins where several are equally frequent.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How files begin that hold no text.
const COMPRESSED: [(&[u8], &str); 3] = [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip")];

/// How a CSV file is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Csv {
    /// What separates fields; `None`: guessed from the header, a tab where the file's name ends in `.tsv`.
    pub separator: Option<u8>,
}

/// A CSV file whose first line has been looked at.
pub(super) struct CsvFile {
    path: PathBuf,
    header: Vec<u8>,
    separator: u8,
    is_guessed: bool,
}

impl CsvFile {
    /// Looks at the first line of `path`.
    ///
    /// # Errors
    /// [`Error::Data`] where the file cannot be read, or is compressed.
    pub fn open(path: &Path, csv: Csv) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, &e))?;
        let mut header = Vec::new();
        let mut lines = BufReader::new(file.take(HEADER));
        let mut quoted = false;
        loop {
            let line = header.len();
            let read = lines.read_until(b'\n', &mut header).map_err(|e| Error::io(path, &e))?;
            // A name in quotes may go on in the next line.
            quoted ^= header[line..].iter().filter(|&&byte| byte == b'"').count() % 2 == 1;
            if read == 0 || !quoted {
                break;
            }
        }
        if let Some((_, name)) = COMPRESSED.iter().find(|(magic, _)| header.starts_with(magic)) {
            return Err(Error::data(path, format!("a compressed file ({name})"), "unpack it first"));
        }
        let is_tsv = path.extension().is_some_and(|e| e == "tsv");
        let separator = csv.separator.unwrap_or_else(|| if is_tsv { b'\t' } else { guess(&header) });
        Ok(CsvFile { path: path.to_owned(), header, separator, is_guessed: csv.separator.is_none() && !is_tsv })
    }

    /// What a person should know of how it is read.
    pub fn remark(&self) -> Option<String> {
        let is_unusual = self.is_guessed && self.separator != b',';
        is_unusual.then(|| format!("fields are taken as separated by {}", said(self.separator)))
    }

    fn options(&self) -> CsvReadOptions {
        let missing = NullValues::AllColumns(MISSING.map(Into::into).to_vec());
        CsvReadOptions::default()
            .with_n_threads(Some(1))
            .map_parse_options(|o| o.with_separator(self.separator).with_null_values(Some(missing.clone())))
    }

    /// Its columns, without rows.
    pub fn head(&self) -> PolarsResult<DataFrame> {
        Ok(self.options().into_reader_with_file_handle(Cursor::new(&self.header)).finish()?.clear())
    }

    /// All rows, the columns `texts` as text. Types guessed from the head hold where all rows can be read with them. Where
    /// they do not, the file is gone through again, for the types of all rows: keeping the first pass's texts for that would
    /// take the memory of the whole file a second time, always, to save time in the rare case.
    pub fn read(&self, texts: &[&str]) -> PolarsResult<DataFrame> {
        let mut file = File::open(&self.path)?;
        let mut known = Schema::default();
        for &name in texts {
            // One column may be asked for twice.
            known.insert(name.into(), DataType::String);
        }
        let known = Arc::new(known);
        let mut read = |rows: Option<usize>| {
            self.options()
                .with_infer_schema_length(rows)
                .with_schema_overwrite(Some(known.clone()))
                .into_reader_with_file_handle(&mut file)
                .finish()
        };
        // A column that is empty in the head says nothing of its type.
        let unknown = |column: &Column| {
            let is_text = *column.dtype() == DataType::String && !known.contains(column.name());
            is_text && column.head(Some(HEAD)).is_null().all()
        };
        match read(Some(HEAD)) {
            Ok(frame) if !frame.columns().iter().any(unknown) => Ok(frame),
            _ => read(None),
        }
    }

    /// What is wrong with a file that cannot be read, by the reader's `error`: a row with more fields than the header is named.
    pub fn wrong(&self, error: &PolarsError) -> Error {
        let hint = "every row has as many fields as the header; a field that holds a separator stands in double quotes";
        match self.long_row() {
            Ok(Some((row, [fields, header]))) => {
                let message = format!("row {row} (the first is 1) has {fields} fields, and the header {header}");
                Error::data(&self.path, message, hint)
            }
            _ => Error::data(&self.path, error, "the file must be a CSV file with a header, or Parquet"),
        }
    }

    /// The first row, counted from 1, that has more fields than the header, and how many both have.
    fn long_row(&self) -> std::io::Result<Option<(usize, [usize; 2])>> {
        let (mut header, mut row, mut fields, mut quoted) = (None, 0, 1, false);
        for block in Blocks::new(File::open(&self.path)?, BLOCK) {
            for byte in block? {
                quoted ^= byte == b'"';
                if quoted {
                    continue;
                }
                fields += usize::from(byte == self.separator);
                if byte == b'\n' {
                    let wanted = *header.get_or_insert(fields);
                    if fields > wanted {
                        return Ok(Some((row, [fields, wanted])));
                    }
                    (row, fields) = (row + 1, 1);
                }
            }
        }
        Ok(header.filter(|&wanted| fields > wanted).map(|wanted| (row, [fields, wanted])))
    }

    /// The columns `numbers` in double precision and `texts` as text, some rows at a time, as many parts at once as there are
    /// threads. `None` in the place of parts that cannot be read so; what follows is of no use then.
    ///
    /// # Errors
    /// [`Error::Data`] where the file cannot be read.
    pub fn parts(
        &self,
        numbers: &[&str],
        texts: &[&str],
    ) -> Result<impl Iterator<Item = Result<Option<Vec<DataFrame>>>>> {
        let file = File::open(&self.path).map_err(|e| Error::io(&self.path, &e))?;
        let mut blocks = Blocks::new(file, BLOCK);
        // What cannot be read here is said better by who reads the whole file.
        let head = self.head().unwrap_or_default();
        let known = |name: &&str| head.get_column_index(name).is_some();
        let is_known = numbers.iter().chain(texts).all(known) && !texts.iter().any(|t| numbers.contains(t));
        let type_of = |name: &str| if numbers.contains(&name) { DataType::Float64 } else { DataType::String };
        let all = head.get_column_names();
        let schema: Schema = all.iter().map(|name| Field::new((*name).clone(), type_of(name))).collect();
        let wanted = all.iter().filter(|name| numbers.iter().chain(texts).any(|n| *n == name.as_str()));
        let wanted: Arc<[PlSmallStr]> = wanted.map(|name| (*name).clone()).collect();
        let options = self.options().with_schema(Some(Arc::new(schema))).with_columns(Some(wanted));
        let mut is_first = true;
        Ok(std::iter::from_fn(move || {
            let together = rayon::current_num_threads();
            let some = blocks.by_ref().take(together).collect::<std::io::Result<Vec<_>>>();
            let some = match some {
                Ok(some) if some.is_empty() => return None,
                Ok(some) => some,
                Err(e) => return Some(Err(Error::io(&self.path, &e))),
            };
            let first = std::mem::replace(&mut is_first, false);
            let read = |(i, block): (usize, Vec<u8>)| {
                let options = options.clone().with_has_header(first && i == 0);
                options.into_reader_with_file_handle(Cursor::new(block)).finish()
            };
            let frames: PolarsResult<Vec<_>> = some.into_par_iter().enumerate().map(read).collect();
            Some(Ok(frames.ok().filter(|_| is_known)))
        }))
    }
}

/// The separator that is most frequent in a header, outside of quotes.
fn guess(header: &[u8]) -> u8 {
    let mut counts = [0usize; SEPARATORS.len()];
    let mut quoted = false;
    for &byte in header {
        quoted ^= byte == b'"';
        if let Some(i) = SEPARATORS.iter().position(|&s| s == byte && !quoted) {
            counts[i] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|&c| c == most).map_or(b',', |i| SEPARATORS[i])
}

fn said(separator: u8) -> String {
    if separator == b'\t' { "tabs".into() } else { format!("`{}`", char::from(separator)) }
}
