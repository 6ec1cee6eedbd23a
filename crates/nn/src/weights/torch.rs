//! State dicts in PyTorch files: the zip format (PyTorch ≥ 1.6) and the older stream of pickles.
//!
//! The pickles are read by candle's opcode reader, which builds plain values and executes nothing; here those values
//! are interpreted. Where a tensor lived (`cpu`, `cuda:0`) does not matter. Plain state dicts are accepted, and the
//! usual wrappers around them ([`WRAPPERS`]).

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use candle_core::DType;
use candle_core::pickle::{Object, Stack};
use zip::ZipArchive;
use zsad_core::{Array, Arrays, Error, Result};

use super::values::decode;

/// Keys under which training scripts keep the state dict beside other things, tried in this order.
const WRAPPERS: [&str; 7] =
    ["model_state_dict", "state_dict", "model_state", "model", "network", "net", "prompt_learner"];

/// The pickled magic number that opens a file of the older format.
const LEGACY_MAGIC: [u8; 15] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
const HINT: &str = "save it in PyTorch with torch.save(model.state_dict(), FILE)";

/// Whether the file's first bytes are those of a PyTorch file.
pub(super) fn is_torch(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04") || file.starts_with(&LEGACY_MAGIC)
}

/// The floating-point tensors of the state dict in `file`, and how many of them were in half precision.
pub(super) fn from_torch(path: &Path, file: &[u8]) -> Result<(Arrays, usize)> {
    let read = if file.starts_with(&LEGACY_MAGIC) { from_stream(file) } else { from_zip(file) };
    read.map_err(|what| Error::data(path, what, HINT))
}

/// What is wrong, without the file's name.
type Parsed<T> = Result<T, String>;

fn from_zip(file: &[u8]) -> Parsed<(Arrays, usize)> {
    let damaged = |e: &dyn std::fmt::Display| format!("damaged PyTorch file: {e}");
    let mut zip = ZipArchive::new(Cursor::new(file)).map_err(|e| damaged(&e))?;
    let mut entries = BTreeMap::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(|e| damaged(&e))?;
        let name = entry.name().map_err(|e| damaged(&e))?.into_owned();
        let mut bytes = Vec::new();
        // PyTorch stores without compression, so no entry can be larger than the file.
        entry.by_ref().take(file.len() as u64).read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
        entries.insert(name, bytes);
    }
    let (folder, pickle) = entries
        .iter()
        .find_map(|(name, bytes)| Some((name.strip_suffix("data.pkl")?, bytes)))
        .ok_or("a zip file without `data.pkl`, so not a PyTorch file")?;
    if entries.get(&format!("{folder}byteorder")).is_some_and(|order| order.as_slice() == b"big") {
        return Err("written on a big-endian machine".into());
    }
    let root = unpickle(&mut pickle.as_slice())?;
    state_dict(&root, |storage| {
        let name = format!("{folder}data/{}", storage.key);
        entries.get(&name).map(Vec::as_slice).ok_or_else(|| format!("its entry `{name}` is missing"))
    })
}

/// Magic number, protocol version, system facts, the object, the storages' keys; then each storage's length and bytes.
fn from_stream(file: &[u8]) -> Parsed<(Arrays, usize)> {
    let mut rest = &file[LEGACY_MAGIC.len()..];
    unpickle(&mut rest)?;
    unpickle(&mut rest)?;
    let root = unpickle(&mut rest)?;
    let keys = unpickle(&mut rest)?;
    let Object::List(keys) = keys else { return Err("damaged PyTorch file: no list of storages".into()) };
    let mut kinds = BTreeMap::new();
    storages_in(&root, &mut kinds);
    let mut data = BTreeMap::new();
    for key in &keys {
        let Object::Unicode(key) = key else { return Err("damaged PyTorch file: a storage without a name".into()) };
        let size = kinds.get(key).ok_or_else(|| format!("storage `{key}` belongs to no tensor"))?;
        let (length, tail) = rest.split_first_chunk().ok_or("damaged PyTorch file: it ends too early")?;
        let length = usize::try_from(i64::from_le_bytes(*length)).ok().and_then(|n| n.checked_mul(*size));
        let (bytes, tail) = length
            .and_then(|n| tail.split_at_checked(n))
            .ok_or_else(|| format!("damaged PyTorch file: it ends inside storage `{key}`"))?;
        data.insert(key.as_str(), bytes);
        rest = tail;
    }
    state_dict(&root, |storage| data.get(storage.key).copied().ok_or_else(|| format!("no storage `{}`", storage.key)))
}

fn unpickle(bytes: &mut &[u8]) -> Parsed<Object> {
    let mut stack = Stack::empty();
    let object = stack.read_loop(bytes).and_then(|()| stack.finalize());
    object.map_err(|e| format!("damaged PyTorch file, or one with more than tensors in it: {e}"))
}

/// Finds the state dict in `root` and reads its floating-point tensors from the storages that `bytes_of` finds; and how
/// many of them are in half precision.
fn state_dict<'a>(root: &Object, bytes_of: impl Fn(&Storage) -> Parsed<&'a [u8]>) -> Parsed<(Arrays, usize)> {
    let Object::Dict(entries) = root else {
        return Err("holds a whole pickled object, not a state dict".into());
    };
    let wrapped = WRAPPERS.iter().find_map(|wrapper| {
        entries.iter().find_map(|(key, value)| match (key, value) {
            (Object::Unicode(key), Object::Dict(inner)) if key == wrapper => Some(inner),
            _ => None,
        })
    });
    let (mut tensors, mut halves) = (Arrays::new(), 0);
    for (key, value) in wrapped.unwrap_or(entries) {
        let (Object::Unicode(name), Some(view)) = (key, TensorRecord::parse(value)) else { continue };
        let Some(dtype) = view.storage.float else { continue };
        halves += usize::from(dtype.size_in_bytes() == 2);
        let context = |what: String| format!("tensor `{name}`: {what}");
        let bytes = bytes_of(&view.storage).map_err(context)?;
        tensors.insert(name.clone(), view.gather(dtype, bytes).map_err(context)?);
    }
    if tensors.is_empty() { Err("holds no tensors, so it is no state dict".into()) } else { Ok((tensors, halves)) }
}

/// A storage as a pickle names it: `('storage', torch.FloatStorage, key, location, numel)`.
struct Storage<'a> {
    key: &'a str,
    /// Bytes of one element.
    size: usize,
    /// `None` for integers.
    float: Option<DType>,
}

impl<'a> Storage<'a> {
    fn parse(object: &'a Object) -> Option<Self> {
        let Object::PersistentLoad(id) = object else { return None };
        let Object::Tuple(id) = id.as_ref() else { return None };
        let (Object::Class { class_name, .. }, Object::Unicode(key)) = (id.get(1)?, id.get(2)?) else { return None };
        let (size, float) = match class_name.as_str() {
            "FloatStorage" => (4, Some(DType::F32)),
            "DoubleStorage" => (8, Some(DType::F64)),
            "HalfStorage" => (2, Some(DType::F16)),
            "BFloat16Storage" => (2, Some(DType::BF16)),
            "LongStorage" => (8, None),
            "IntStorage" => (4, None),
            "ShortStorage" => (2, None),
            "CharStorage" | "ByteStorage" | "BoolStorage" => (1, None),
            _ => return None,
        };
        Some(Storage { key, size, float })
    }
}

/// The element sizes of all storages anywhere in `object`, by key.
fn storages_in(object: &Object, sizes: &mut BTreeMap<String, usize>) {
    if let Some(storage) = Storage::parse(object) {
        sizes.insert(storage.key.to_owned(), storage.size);
        return;
    }
    match object {
        Object::Tuple(items) | Object::List(items) => items.iter().for_each(|item| storages_in(item, sizes)),
        Object::Dict(items) => items.iter().for_each(|(_, item)| storages_in(item, sizes)),
        Object::Reduce { args, .. } => storages_in(args, sizes),
        Object::Build { callable, args } => {
            storages_in(callable, sizes);
            storages_in(args, sizes);
        }
        _ => {}
    }
}

/// A tensor as a pickle rebuilds it: a strided view of a storage.
struct TensorRecord<'a> {
    storage: Storage<'a>,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

impl<'a> TensorRecord<'a> {
    fn parse(object: &'a Object) -> Option<Self> {
        let Object::Reduce { callable, args } = object else { return None };
        let Object::Tuple(args) = args.as_ref() else { return None };
        Self::rebuild(callable, args)
    }

    fn rebuild(callable: &Object, args: &'a [Object]) -> Option<Self> {
        let Object::Class { module_name, class_name } = callable else { return None };
        match (module_name.as_str(), class_name.as_str()) {
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => {
                let [storage, offset, shape, stride, ..] = args else { return None };
                let (storage, offset) = (Storage::parse(storage)?, number(offset)?);
                let (shape, stride) = (numbers(shape)?, numbers(stride)?);
                (shape.len() == stride.len()).then_some(TensorRecord { storage, offset, shape, stride })
            }
            ("torch._utils", "_rebuild_parameter") => Self::parse(args.first()?),
            ("torch._tensor", "_rebuild_from_type_v2") => match args {
                [callable, _, Object::Tuple(args), ..] => Self::rebuild(callable, args),
                _ => None,
            },
            _ => None,
        }
    }

    /// The elements in row-major order.
    fn gather(&self, dtype: DType, bytes: &[u8]) -> Parsed<Array> {
        let stored = bytes.len() / self.storage.size;
        let last = self.shape.iter().zip(&self.stride).try_fold(self.offset, |at, (&n, &stride)| {
            n.checked_sub(1).and_then(|n| n.checked_mul(stride)).and_then(|step| at.checked_add(step))
        });
        let count = self.shape.iter().try_fold(1usize, |count, &n| count.checked_mul(n)).unwrap_or(usize::MAX);
        if count > 0 && (count > stored || last.is_none_or(|last| last >= stored)) {
            return Err(format!("shape {:?} does not fit into its storage of {stored} values", self.shape));
        }
        let whole = bytes.get(..stored * self.storage.size).unwrap_or(bytes);
        let values = decode(dtype, whole).map_err(|e| e.to_string())?;
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            out.push(values[at]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.stride[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= self.stride[axis] * index[axis];
                index[axis] = 0;
            }
        }
        Ok(Array::single(self.shape.clone(), out))
    }
}

fn number(object: &Object) -> Option<usize> {
    match object {
        Object::Int(n) => usize::try_from(*n).ok(),
        Object::Long(n) => usize::try_from(*n).ok(),
        _ => None,
    }
}

fn numbers(object: &Object) -> Option<Vec<usize>> {
    let Object::Tuple(items) = object else { return None };
    items.iter().map(number).collect()
}
