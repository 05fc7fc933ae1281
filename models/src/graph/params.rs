//! The weights of a network by name, checked against its size. It knows no file format.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::NetworkConfig;

/// One parameter: row-major values and their shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The sizes, outermost first.
    pub shape: Vec<usize>,
    /// The values, row-major, as many as the product of `shape`.
    pub values: Vec<f32>,
}

/// Why a set of weights does not fit its network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The sizes themselves do not make a network.
    #[error("network sizes: {0}")]
    Config(String),
    /// A parameter of the network is missing.
    #[error("parameter `{name}` is missing, wanted shape {wanted:?}")]
    Missing {
        /// Its flax name.
        name: String,
        /// Its shape.
        wanted: Vec<usize>,
    },
    /// A parameter is not part of the network.
    #[error("parameter `{name}` of shape {found:?} is not part of this network")]
    Extra {
        /// Its flax name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A parameter has another shape, or another number of values than its shape.
    #[error(
        "parameter `{name}`: found shape {found:?} with {values} values, wanted shape {wanted:?}"
    )]
    Shape {
        /// Its flax name.
        name: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The number of values it has.
        values: usize,
        /// The shape it should have.
        wanted: Vec<usize>,
    },
    /// A value of a parameter is not a finite number.
    #[error("parameter `{name}`: value {index} is {value}, wanted a finite number")]
    NotFinite {
        /// Its flax name.
        name: String,
        /// The row-major index of the value.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A parameter cannot be read.
    #[error("parameter `{name}`: {reason}")]
    Unreadable {
        /// Its flax name.
        name: String,
        /// The file, what was found and what was wanted.
        reason: String,
    },
    /// The caller interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// A source of the weights of a network: memory, or files that are read one parameter at a time.
pub trait Weights {
    /// The parameter with a name. Its values are finite.
    ///
    /// # Errors
    /// [`ParamError::Missing`], or why it cannot be read.
    fn param(&self, name: &str) -> Result<Cow<'_, Param>, ParamError>;

    /// Checks that these are exactly the parameters of `config`, with its shapes. Values that are
    /// read later are checked then.
    ///
    /// # Errors
    /// The first parameter that is missing, superfluous, of a wrong shape, or not finite.
    fn check(&self, config: &NetworkConfig) -> Result<(), ParamError>;
}

impl Weights for Params {
    fn param(&self, name: &str) -> Result<Cow<'_, Param>, ParamError> {
        let missing = || ParamError::Missing { name: name.to_owned(), wanted: vec![] };
        self.get(name).map(Cow::Borrowed).ok_or_else(missing)
    }

    fn check(&self, config: &NetworkConfig) -> Result<(), ParamError> {
        Self::check(self, config)
    }
}

impl Param {
    /// Checks that all its values are finite numbers.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check_finite(&self, name: &str) -> Result<(), ParamError> {
        match self.values.iter().position(|v| !v.is_finite()) {
            Some(index) => {
                let value = self.values[index];
                Err(ParamError::NotFinite { name: name.to_owned(), index, value })
            }
            None => Ok(()),
        }
    }
}

/// The weights of a network by flat flax name, such as `decoder.layers_0.mlp.wo.kernel`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(BTreeMap<String, Param>);

impl Params {
    /// No weights.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one parameter.
    pub fn insert(&mut self, name: impl Into<String>, shape: Vec<usize>, values: Vec<f32>) {
        self.0.insert(name.into(), Param { shape, values });
    }

    /// The parameter with a name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.0.get(name)
    }

    /// All parameters, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.0.iter().map(|(name, param)| (name.as_str(), param))
    }

    /// The number of values in all parameters together.
    pub fn count(&self) -> usize {
        self.0.values().map(|param| param.values.len()).sum()
    }

    /// Checks that these are exactly the parameters of `config`, with its shapes and finite values.
    ///
    /// # Errors
    /// The first parameter that is missing, superfluous, of a wrong shape, or not finite.
    pub fn check(&self, config: &NetworkConfig) -> Result<(), ParamError> {
        if let Some(problem) = config.problem() {
            return Err(ParamError::Config(problem));
        }
        self.check_list(config.parameters())
    }

    /// Checks that these are exactly the parameters of a list, with its shapes and finite values.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_list(&self, wanted: Vec<(String, Vec<usize>)>) -> Result<(), ParamError> {
        let wanted: BTreeMap<String, Vec<usize>> = wanted.into_iter().collect();
        for (name, wanted) in &wanted {
            let Some(param) = self.0.get(name) else {
                return Err(ParamError::Missing { name: name.clone(), wanted: wanted.clone() });
            };
            if param.shape != *wanted || param.values.len() != wanted.iter().product::<usize>() {
                return Err(ParamError::Shape {
                    name: name.clone(),
                    found: param.shape.clone(),
                    values: param.values.len(),
                    wanted: wanted.clone(),
                });
            }
            param.check_finite(name)?;
        }
        match self.0.iter().find(|(name, _)| !wanted.contains_key(*name)) {
            Some((name, param)) => {
                Err(ParamError::Extra { name: name.clone(), found: param.shape.clone() })
            }
            None => Ok(()),
        }
    }
}

/// Checks that `shapes` are exactly those of the parameters of `config`.
///
/// # Errors
/// The first parameter that is missing, superfluous, or of a wrong shape.
#[cfg(feature = "checkpoint")]
pub(crate) fn check_shapes(
    shapes: &BTreeMap<String, Vec<usize>>,
    config: &NetworkConfig,
) -> Result<(), ParamError> {
    if let Some(problem) = config.problem() {
        return Err(ParamError::Config(problem));
    }
    let all: BTreeMap<String, Vec<usize>> = config.parameters().into_iter().collect();
    for (name, wanted) in &all {
        let (name, wanted) = (name.clone(), wanted.clone());
        match shapes.get(&name) {
            None => return Err(ParamError::Missing { name, wanted }),
            Some(found) if *found != wanted => {
                let values = found.iter().product();
                return Err(ParamError::Shape { name, found: found.clone(), values, wanted });
            }
            Some(_) => {}
        }
    }
    match shapes.iter().find(|(name, _)| !all.contains_key(*name)) {
        Some((name, found)) => Err(ParamError::Extra { name: name.clone(), found: found.clone() }),
        None => Ok(()),
    }
}

impl FromIterator<(String, Param)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, Param)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
