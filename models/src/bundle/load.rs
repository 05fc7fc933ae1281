//! Opens a model, verifies its files and loads its networks. It knows no stream and no settings.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::manifest::{ATTACKS, LIFE};
use super::{BundleError, Manifest};
use crate::denoise::network::{Network, RunOptions};
use crate::denoise::step_trial::StepTrial;
use crate::denoise::{Arithmetic, DenoiseError};
use crate::graph::GraphKind;
use crate::prior::NotePrior;
use crate::threads::Threads;
use crate::vocoder::attack::AttackTable;
use crate::vocoder::inverter::Inverter;
use crate::vocoder::life::LifeTable;
use crate::vocoder::mel_decoder::MelDecoder;
use crate::vocoder::tables::Tables;
use crate::vocoder::{NoteTables, Vocoder};

/// The files of a model that a program carries within itself: their names and their bytes, as
/// `include_bytes!` gives them.
pub type CarriedFiles = &'static [(&'static str, &'static [u8])];

/// Where the files of a model are.
#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Program(CarriedFiles),
}

/// A model whose manifest has been read and checked. Its files are verified when they are loaded.
#[derive(Debug, Clone)]
pub struct Bundle {
    manifest: Manifest,
    place: Place,
}

impl Bundle {
    /// The model that a program carries within itself.
    ///
    /// # Errors
    /// [`BundleError`] if the files are not a whole model.
    pub fn carried(files: CarriedFiles) -> Result<Self, BundleError> {
        Self::read(Place::Program(files))
    }

    /// Opens the model in a folder.
    ///
    /// # Errors
    /// [`BundleError`] naming the file, what was found and what to do.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, BundleError> {
        Self::read(Place::Folder(folder.as_ref().to_owned()))
    }

    fn read(place: Place) -> Result<Self, BundleError> {
        let path = place.path("manifest.toml");
        let bytes = place.bytes("manifest.toml")?;
        Ok(Self { manifest: Manifest::parse(&path.display().to_string(), &bytes)?, place })
    }

    /// The manifest of the model.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The place of the model, in words.
    pub fn location(&self) -> String {
        match &self.place {
            Place::Folder(folder) => folder.display().to_string(),
            Place::Program(_) => "inside the program".to_owned(),
        }
    }

    /// The size of all its files, bytes.
    ///
    /// # Errors
    /// [`BundleError::Read`] if a file is missing.
    pub fn size(&self) -> Result<u64, BundleError> {
        self.manifest.files.values().map(|f| Ok(self.place.bytes(&f.file)?.len() as u64)).sum()
    }

    /// Verifies and loads the denoiser.
    ///
    /// # Errors
    /// [`BundleError`] naming the file, what was found and what to do.
    pub fn network(&self) -> Result<Network, BundleError> {
        self.network_with(RunOptions::default())
    }

    /// As [`Self::network`], with options of how it runs.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub fn network_with(&self, options: RunOptions) -> Result<Network, BundleError> {
        let unfit = |source| BundleError::Graph { path: self.location(), source };
        let read = |kind: GraphKind| match self.verified(kind.name()) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(e) => Err(Refused::File(e)),
        };
        Network::load_each(self.manifest.network.clone(), options, read).map_err(|e| match e {
            Refused::File(e) => e,
            Refused::Graph(e) => unfit(e),
        })
    }

    /// Verifies and loads a single denoising step, to measure how fast this form of it is for
    /// `frames` frames. None if there is no choice of a form.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub fn step_trial(
        &self,
        arithmetic: Arithmetic,
        frames: usize,
        threads: Threads,
    ) -> Result<Option<StepTrial>, BundleError> {
        let step = self.verified(GraphKind::Step.name())?;
        StepTrial::load(&self.manifest.network, &step, arithmetic, (frames, threads))
            .map_err(|source| BundleError::Graph { path: self.location(), source })
    }

    /// Verifies and loads the note prior, if the model has one.
    ///
    /// # Errors
    /// [`BundleError`] naming the file, what was found and what to do.
    pub fn prior(
        &self,
        tables: Arc<Tables>,
        lives: Arc<LifeTable>,
    ) -> Result<Option<NotePrior>, BundleError> {
        if self.manifest.prior.is_none() {
            return Ok(None);
        }
        NotePrior::load(&self.verified("prior")?, self.manifest.kits.clone(), tables, lives)
            .map(Some)
            .map_err(|source| BundleError::Graph { path: self.location(), source })
    }

    /// Verifies and loads the life table: how notes change over time while they sound. Without one
    /// they do not change.
    ///
    /// # Errors
    /// [`BundleError`] naming the file, what was found and what to do.
    pub fn lives(&self) -> Result<LifeTable, BundleError> {
        if !self.manifest.files.contains_key(LIFE) {
            return Ok(LifeTable::still());
        }
        LifeTable::load(&self.verified(LIFE)?)
            .map_err(|source| BundleError::Graph { path: self.location(), source })
    }

    /// Verifies and loads the vocoder or mel decoder of the model.
    ///
    /// # Errors
    /// [`BundleError`] naming the file, what was found and what to do.
    pub fn vocoder(
        &self,
        tables: Arc<Tables>,
        lives: Arc<LifeTable>,
    ) -> Result<Inverter, BundleError> {
        let bytes = self.verified("vocoder")?;
        let attacks = match self.manifest.files.contains_key(ATTACKS) {
            true => Some(self.verified(ATTACKS)?),
            false => None,
        };
        let score_informed = |config| {
            let kits = || self.manifest.kits.clone();
            let attacks = attacks.as_deref().map(|bytes| AttackTable::load(bytes, kits()));
            let attacks = attacks.transpose()?;
            Vocoder::load(config, &bytes, NoteTables { attacks, lives }, tables)
        };
        let inverter = match (self.manifest.vocoder, self.manifest.mel_decoder) {
            (Some(config), _) => {
                score_informed(config).map(|vocoder| Inverter::ScoreInformed(Box::new(vocoder)))
            }
            (None, decoder) => {
                MelDecoder::load(decoder.unwrap_or_default(), &bytes).map(Inverter::mel_decoder)
            }
        };
        inverter.map_err(|source| BundleError::Graph { path: self.location(), source })
    }

    /// The bytes of the file with a role, after its checksum was verified.
    ///
    /// # Errors
    /// [`BundleError`] naming the file, what was found and what to do.
    pub fn verified(&self, role: &str) -> Result<Vec<u8>, BundleError> {
        let Some(entry) = self.manifest.files.get(role) else {
            return Err(BundleError::Unfit {
                path: self.location(),
                key: format!("files.{role}"),
                found: "nothing".to_owned(),
                wanted: "a file and its sha256".to_owned(),
                remedy: "install the model again".to_owned(),
            });
        };
        let bytes = self.place.bytes(&entry.file)?;
        let found = sha256(&bytes);
        if found != entry.sha256 {
            let path = self.place.path(&entry.file).display().to_string();
            return Err(BundleError::Checksum { path, found, wanted: entry.sha256.clone() });
        }
        Ok(bytes)
    }
}

/// Why a network was not loaded.
enum Refused {
    File(BundleError),
    Graph(DenoiseError),
}

impl From<DenoiseError> for Refused {
    fn from(e: DenoiseError) -> Self {
        Self::Graph(e)
    }
}

impl Place {
    fn path(&self, file: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(file),
            Self::Program(_) => Path::new("(bundled)").join(file),
        }
    }

    fn bytes(&self, file: &str) -> Result<Vec<u8>, BundleError> {
        let read = match self {
            Self::Folder(folder) => std::fs::read(folder.join(file)),
            Self::Program(files) => files
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, bytes)| bytes.to_vec())
                .ok_or_else(|| std::io::ErrorKind::NotFound.into()),
        };
        read.map_err(|source| BundleError::Read { path: self.path(file), source })
    }
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
