//! The pickle of a `.bin` file: its tensors and their places. It knows no zip file and no network.
//!
//! A pickle is a program, but this reader executes nothing. It knows only the opcodes that
//! `torch.save` writes for a dictionary of tensors, and the few names that such a file uses, as
//! plain values. Everything else is refused by its name. Memory is bounded, because each opcode
//! adds at most one value, and the pickle is short.

use std::collections::{BTreeSet, HashMap};

use super::opcodes;
use super::tensor::Kind;

/// A tensor in a pickle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickledTensor {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: Kind,
    /// The file with its values, in the `data` folder of the archive.
    pub storage: String,
    /// The number of values in that file.
    pub storage_len: usize,
    /// The index of its first value there.
    pub offset: usize,
    /// The sizes, outermost first.
    pub shape: Vec<usize>,
    /// For each dimension, the number of values from one index to the next.
    pub strides: Vec<usize>,
}

/// The reason why anything unknown is refused.
const REFUSED: &str = "which a file of weights does not need; nothing of it was executed";

/// The index of a value in [`Reader::values`].
type Ref = usize;

#[derive(Debug, Clone, PartialEq)]
enum Value {
    None,
    Bool,
    Number(i64),
    Text(String),
    Tuple(Vec<Ref>),
    List,
    /// A dictionary, ordered or not.
    Dict(Vec<(Ref, Ref)>),
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageType(Kind),
    Storage {
        kind: Kind,
        file: String,
        len: usize,
    },
    Tensor(Box<PickledTensor>),
}

/// The tensors of the dictionary in a pickle, in its order.
///
/// # Errors
/// What was found, in words: the pickle is damaged, asks for something else than tensors, or uses
/// an opcode that a dictionary of tensors does not need.
pub fn pickled_tensors(pickle: &[u8]) -> Result<Vec<PickledTensor>, String> {
    let mut reader = Reader { rest: pickle, ..Reader::default() };
    let top = loop {
        let opcode = reader.byte()?;
        if opcode == opcodes::STOP {
            break reader.pop()?;
        }
        reader.step(opcode)?;
    };
    reader.tensors(top)
}

#[derive(Debug, Default)]
struct Reader<'a> {
    rest: &'a [u8],
    /// All values so far. Others refer to them by index, so that none is copied.
    values: Vec<Value>,
    stack: Vec<Ref>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
}

impl Reader<'_> {
    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            opcodes::PROTO => match self.byte()? {
                2..=5 => Ok(()),
                other => Err(format!("a pickle of protocol {other}; wanted 2 to 5")),
            },
            opcodes::FRAME => self.take(8).map(|_| ()),
            opcodes::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            opcodes::NONE => self.push(Value::None),
            opcodes::NEWTRUE | opcodes::NEWFALSE => self.push(Value::Bool),
            opcodes::EMPTY_DICT => self.push(Value::Dict(vec![])),
            opcodes::EMPTY_LIST => self.push(Value::List),
            opcodes::BININT | opcodes::BININT1 | opcodes::BININT2 => self.number(opcode),
            opcodes::LONG1 => self.number(opcode),
            opcodes::BINUNICODE | opcodes::SHORT_BINUNICODE => self.text(opcode),
            opcodes::BINPUT | opcodes::LONG_BINPUT | opcodes::MEMOIZE => self.remember(opcode),
            opcodes::BINGET | opcodes::LONG_BINGET => self.recall(opcode),
            opcodes::EMPTY_TUPLE | opcodes::TUPLE => self.tuple(opcode),
            opcodes::TUPLE1 | opcodes::TUPLE2 | opcodes::TUPLE3 => self.tuple(opcode),
            opcodes::GLOBAL | opcodes::STACK_GLOBAL => self.global(opcode),
            opcodes::SETITEM | opcodes::SETITEMS => self.set_items(opcode),
            opcodes::BINPERSID => self.storage(),
            opcodes::REDUCE => self.reduce(),
            opcodes::BUILD => self.build(),
            other => Err(format!(
                "the pickle's opcode {} (0x{other:02x}), {REFUSED}",
                opcodes::name(other)
            )),
        }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or("the pickle ends in the middle")?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// A little-endian number of up to eight bytes.
    fn unsigned(&mut self, bytes: usize) -> Result<u64, String> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |all, byte| (all << 8) | u64::from(*byte)))
    }

    /// A line without its end.
    fn line(&mut self) -> Result<String, String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or("the pickle ends in the middle")?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    /// The topmost value, which must lie above the last mark.
    fn pop(&mut self) -> Result<Ref, String> {
        let floor = self.marks.last().copied().unwrap_or_default();
        match self.stack.pop() {
            Some(top) if self.stack.len() >= floor => Ok(top),
            _ => Err("the pickle takes a value that is not there".to_owned()),
        }
    }

    /// All values above the last mark, which is removed.
    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, String> {
        let floor = self.marks.pop().filter(|floor| *floor <= self.stack.len());
        Ok(self.stack.split_off(floor.ok_or("the pickle has no mark where it needs one")?))
    }

    fn value(&self, at: Ref) -> &Value {
        self.values.get(at).unwrap_or(&Value::None)
    }

    fn number(&mut self, opcode: u8) -> Result<(), String> {
        let number = match opcode {
            opcodes::BININT1 => self.unsigned(1)? as i64,
            opcodes::BININT2 => self.unsigned(2)? as i64,
            opcodes::BININT => i64::from(self.unsigned(4)? as u32 as i32),
            _ => {
                let bytes = usize::from(self.byte()?);
                if bytes > 8 {
                    return Err(format!("a number of {bytes} bytes in the pickle"));
                }
                let unused = 64 - 8 * bytes as u32;
                // Shifting to the top and back extends the sign.
                match bytes {
                    0 => 0,
                    _ => (self.unsigned(bytes)? as i64) << unused >> unused,
                }
            }
        };
        self.push(Value::Number(number))
    }

    fn text(&mut self, opcode: u8) -> Result<(), String> {
        let width = if opcode == opcodes::BINUNICODE { 4 } else { 1 };
        let length = self.unsigned(width)? as usize;
        let text = std::str::from_utf8(self.take(length)?);
        let text = text.map_err(|_| "a text in the pickle is not UTF-8")?.to_owned();
        self.push(Value::Text(text))
    }

    fn remember(&mut self, opcode: u8) -> Result<(), String> {
        let key = match opcode {
            opcodes::BINPUT => self.unsigned(1)? as u32,
            opcodes::LONG_BINPUT => self.unsigned(4)? as u32,
            _ => self.memo.len() as u32,
        };
        let top = self.pop()?;
        self.stack.push(top);
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, opcode: u8) -> Result<(), String> {
        let key = self.unsigned(if opcode == opcodes::BINGET { 1 } else { 4 })? as u32;
        let found = self.memo.get(&key).copied();
        self.stack.push(found.ok_or("the pickle recalls what it did not remember")?);
        Ok(())
    }

    fn tuple(&mut self, opcode: u8) -> Result<(), String> {
        let items = match opcode {
            opcodes::TUPLE => self.pop_to_mark()?,
            opcodes::EMPTY_TUPLE => vec![],
            _ => {
                let count = usize::from(opcode - opcodes::TUPLE1) + 1;
                let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                items
            }
        };
        self.push(Value::Tuple(items))
    }

    /// A Python name: one of the few that tensors need, as a plain value.
    fn global(&mut self, opcode: u8) -> Result<(), String> {
        let (module, name) = if opcode == opcodes::GLOBAL {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let text = |at: Ref| match self.value(at) {
                Value::Text(text) => Ok(text.clone()),
                _ => Err("a name in the pickle that is no text"),
            };
            (text(module)?, text(name)?)
        };
        let value = match (module.as_str(), name.as_str()) {
            ("collections", "OrderedDict") => Value::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Value::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Value::RebuildParameter,
            ("torch", "FloatStorage") => Value::StorageType(Kind::F32),
            ("torch", "HalfStorage") => Value::StorageType(Kind::F16),
            ("torch", "BFloat16Storage") => Value::StorageType(Kind::Bf16),
            ("torch", name) if name.ends_with("Storage") => {
                return Err(format!(
                    "values of the type {name}; wanted FloatStorage, HalfStorage or BFloat16Storage"
                ));
            }
            _ => {
                return Err(format!("the pickle asks for `{module}.{name}`, {REFUSED}"));
            }
        };
        self.push(value)
    }

    fn set_items(&mut self, opcode: u8) -> Result<(), String> {
        let items = if opcode == opcodes::SETITEMS {
            self.pop_to_mark()?
        } else {
            let (value, key) = (self.pop()?, self.pop()?);
            vec![key, value]
        };
        let dict = self.pop()?;
        self.stack.push(dict);
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err("a dictionary in the pickle has a key without a value".to_owned());
        };
        match self.values.get_mut(dict) {
            Some(Value::Dict(entries)) => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err("the pickle puts entries into what is no dictionary".to_owned()),
        }
    }

    /// The place of values, from `("storage", type, file, device, values)`.
    fn storage(&mut self) -> Result<(), String> {
        let wanted = || Err("a storage in the pickle that is none of torch's".to_owned());
        let id = self.pop()?;
        let Value::Tuple(parts) = self.value(id) else { return wanted() };
        let [word, kind, file, _device, len] = parts.as_slice() else { return wanted() };
        let storage =
            match (self.value(*word), self.value(*kind), self.value(*file), self.value(*len)) {
                (
                    Value::Text(word),
                    Value::StorageType(kind),
                    Value::Text(file),
                    Value::Number(len),
                ) if word == "storage" => Value::Storage {
                    kind: *kind,
                    file: file.clone(),
                    len: usize::try_from(*len)
                        .map_err(|_| format!("a storage of {len} values in the pickle"))?,
                },
                _ => return wanted(),
            };
        self.push(storage)
    }

    /// The result of a call: one of the three that tensors need.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Tuple(arguments) = self.value(arguments) else {
            return Err("a call in the pickle without arguments".to_owned());
        };
        let made = match (self.value(callee), arguments.as_slice()) {
            (Value::OrderedDict, []) => Value::Dict(vec![]),
            (Value::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                self.tensor(*storage, *offset, *shape, *strides)?
            }
            (Value::RebuildParameter, [tensor, ..]) => match self.value(*tensor) {
                Value::Tensor(tensor) => Value::Tensor(tensor.clone()),
                _ => return Err("a parameter in the pickle that is no tensor".to_owned()),
            },
            (Value::OrderedDict, _) => {
                return Err("an OrderedDict in the pickle that is made of something".to_owned());
            }
            _ => {
                return Err(
                    "a call in the pickle that makes no tensor; nothing of it was executed"
                        .to_owned(),
                );
            }
        };
        self.push(made)
    }

    fn tensor(&self, storage: Ref, offset: Ref, shape: Ref, strides: Ref) -> Result<Value, String> {
        let size = |at: Ref| match self.value(at) {
            Value::Number(n) => usize::try_from(*n).ok(),
            _ => None,
        };
        let sizes = |at: Ref| match self.value(at) {
            Value::Tuple(parts) => parts.iter().map(|part| size(*part)).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match (self.value(storage), size(offset), sizes(shape), sizes(strides)) {
            (Value::Storage { kind, file, len }, Some(offset), Some(shape), Some(strides)) => {
                Ok(Value::Tensor(Box::new(PickledTensor {
                    name: String::new(),
                    kind: *kind,
                    storage: file.clone(),
                    storage_len: *len,
                    offset,
                    shape,
                    strides,
                })))
            }
            _ => Err("a tensor in the pickle without storage, place, shape or strides".to_owned()),
        }
    }

    /// The state of an object. Only dictionaries may have one: modules store notes there, which do
    /// not matter for tensors.
    fn build(&mut self) -> Result<(), String> {
        let (state, object) = (self.pop()?, self.pop()?);
        self.stack.push(object);
        match (self.value(object), self.value(state)) {
            (Value::Dict(_), Value::Dict(_)) => Ok(()),
            _ => Err("the pickle gives a state to what is no dictionary".to_owned()),
        }
    }

    fn tensors(&self, top: Ref) -> Result<Vec<PickledTensor>, String> {
        let Value::Dict(entries) = self.value(top) else {
            return Err("the pickle makes no dictionary; wanted tensors by their names".to_owned());
        };
        let mut names = BTreeSet::new();
        let mut tensors = vec![];
        for (key, value) in entries {
            let Value::Text(name) = self.value(*key) else {
                return Err("a key in the pickle that is no text".to_owned());
            };
            let Value::Tensor(tensor) = self.value(*value) else {
                return Err(format!("`{name}` in the pickle is no tensor"));
            };
            if !names.insert(name) {
                return Err(format!("`{name}` is twice in the pickle"));
            }
            tensors.push(PickledTensor { name: name.clone(), ..(**tensor).clone() });
        }
        Ok(tensors)
    }
}
