//! NumPy arrays: any integer, boolean or floating type, either byte order, C or Fortran order, as C-ordered vectors.

use std::io::{self, Read, Write};

use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder};
use zsad_core::{Samples, Values};

/// The numbers of an array in the narrowest of four types that holds them exactly.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// `|u1` and `|b1`.
    U8(Vec<u8>),
    /// All other integers.
    I64(Vec<i64>),
    /// `<f4`.
    F32(Vec<f32>),
    /// `<f8`.
    F64(Vec<f64>),
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::U8(v) => v.len(),
            Numbers::I64(v) => v.len(),
            Numbers::F32(v) => v.len(),
            Numbers::F64(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array in C order (the last index runs fastest).
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The size of every dimension; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub numbers: Numbers,
}

/// Samples as they are stored, `[n, shape…]`.
impl From<&Samples> for Array {
    fn from(samples: &Samples) -> Self {
        let numbers = match samples.values() {
            Values::F32(v) => Numbers::F32(v.clone()),
            Values::F64(v) => Numbers::F64(v.clone()),
        };
        Array { shape: [&[samples.len()], samples.shape()].concat(), numbers }
    }
}

impl Array {
    /// All numbers in double precision; integers beyond 2⁵³ are rounded.
    pub fn into_f64(self) -> Vec<f64> {
        match self.numbers {
            Numbers::U8(v) => v.into_iter().map(f64::from).collect(),
            Numbers::I64(v) => v.into_iter().map(|x| x as f64).collect(),
            Numbers::F32(v) => v.into_iter().map(f64::from).collect(),
            Numbers::F64(v) => v,
        }
    }

    /// All numbers as integers; `None` where one is not whole.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 9e15).then_some(x as i64);
        match &self.numbers {
            Numbers::U8(v) => Some(v.iter().map(|&x| i64::from(x)).collect()),
            Numbers::I64(v) => Some(v.clone()),
            Numbers::F32(v) => v.iter().map(|&x| whole(f64::from(x))).collect(),
            Numbers::F64(v) => v.iter().map(|&x| whole(x)).collect(),
        }
    }
}

/// Reads one array from `reader`, of which `bytes` are left at most.
///
/// # Errors
/// Where the header is not one of an array of numbers, promises more than `bytes`, or the data break off.
pub fn read(reader: impl Read, bytes: u64) -> io::Result<Array> {
    let mut reader = io::BufReader::with_capacity(1 << 16, reader);
    let array = read_array(&mut reader, bytes)?;
    // Reading to the very end also makes a zip entry check its checksum.
    match io::copy(&mut reader, &mut io::sink())? {
        0 => Ok(array),
        n => Err(bad(format!("{n} bytes more than its header says"))),
    }
}

fn bad(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn read_array(reader: impl Read, bytes: u64) -> io::Result<Array> {
    let file = NpyFile::new(reader)?;
    let DType::Plain(ty) = file.dtype() else {
        return Err(bad("records instead of plain numbers".into()));
    };
    let dims = file.shape().to_vec();
    let total = dims.iter().try_fold(ty.num_bytes().unwrap_or(1) as u64, |n, d| n.checked_mul(*d));
    if total.is_none_or(|n| n > bytes) {
        return Err(bad(format!("its header promises an array of shape {dims:?}, and there are {bytes} bytes")));
    }
    let numbers = match (ty.type_char(), ty.size_field()) {
        (TypeChar::Bool, 1) => Numbers::U8(values::<bool>(file)?.into_iter().map(u8::from).collect()),
        (TypeChar::Uint, 1) => Numbers::U8(values(file)?),
        (TypeChar::Uint, 2) => whole::<u16>(file)?,
        (TypeChar::Uint, 4) => whole::<u32>(file)?,
        (TypeChar::Uint, 8) => whole::<u64>(file)?,
        (TypeChar::Int, 1) => whole::<i8>(file)?,
        (TypeChar::Int, 2) => whole::<i16>(file)?,
        (TypeChar::Int, 4) => whole::<i32>(file)?,
        (TypeChar::Int, 8) => whole::<i64>(file)?,
        (TypeChar::Float, 4) => Numbers::F32(values(file)?),
        (TypeChar::Float, 8) => Numbers::F64(values(file)?),
        _ => return Err(bad(format!("type `{ty}` instead of integers, float32 or float64"))),
    };
    Ok(Array { shape: dims.into_iter().map(|d| d as usize).collect(), numbers })
}

/// The values of a file in C order.
fn values<T: npyz::Deserialize + Copy>(file: NpyFile<impl Read>) -> io::Result<Vec<T>> {
    let shape: Vec<usize> = file.shape().iter().map(|&d| d as usize).collect();
    let fortran = file.order() == Order::Fortran && shape.len() > 1;
    let values = file.into_vec()?;
    Ok(if fortran { to_c_order(&values, &shape) } else { values })
}

fn whole<T: npyz::Deserialize + Copy + TryInto<i64>>(file: NpyFile<impl Read>) -> io::Result<Numbers> {
    let signed = |v: T| v.try_into().map_err(|_| bad("an unsigned number beyond 2⁶³".into()));
    values(file)?.into_iter().map(signed).collect::<io::Result<_>>().map(Numbers::I64)
}

/// `values` in Fortran order (the first index runs fastest) brought into C order.
fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let strides: Vec<usize> = shape.iter().scan(1, |s, d| Some(std::mem::replace(s, *s * d))).collect();
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[at]);
        for k in (0..shape.len()).rev() {
            index[k] += 1;
            at += strides[k];
            if index[k] < shape[k] {
                break;
            }
            at -= strides[k] * shape[k];
            index[k] = 0;
        }
    }
    out
}

/// Writes `array` in version 1.0 of the format, little-endian, C order.
///
/// # Errors
/// Where `writer` fails.
pub fn write(writer: impl Write, array: &Array) -> io::Result<()> {
    let shape: Vec<u64> = array.shape.iter().map(|&d| d as u64).collect();
    match &array.numbers {
        Numbers::U8(v) => write_all(writer, &shape, v),
        Numbers::I64(v) => write_all(writer, &shape, v),
        Numbers::F32(v) => write_all(writer, &shape, v),
        Numbers::F64(v) => write_all(writer, &shape, v),
    }
}

fn write_all<T: npyz::AutoSerialize + Copy>(writer: impl Write, shape: &[u64], values: &[T]) -> io::Result<()> {
    let writer = io::BufWriter::with_capacity(1 << 16, writer);
    let mut npy = npyz::WriteOptions::new().default_dtype().shape(shape).writer(writer).begin_nd()?;
    npy.extend(values.iter().copied())?;
    npy.finish()
}
