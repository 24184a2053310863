//! Reads back from a sidecar what became of each sample.

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use crate::sample::{Failure, FailureClass};

/// What the sidecar says of one output sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOutcome {
    pub key: String,
    pub status: String,
    pub failure: Option<Failure>,
}

impl SampleOutcome {
    /// The key of the input row: a clip's key without its suffix.
    pub fn row_key(&self) -> &str {
        row_key(&self.key)
    }
}

/// The key of the input row that an output sample came of.
pub fn row_key(key: &str) -> &str {
    key.split_once('_').map_or(key, |(base, _)| base)
}

/// Why a sidecar cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("it lacks the column `{0}`")]
    NoColumn(&'static str),
    #[error("row {0} has no key or no status")]
    Incomplete(usize),
}

const WANTED: [&str; 4] = ["key", "status", "error_class", "error_message"];

/// Every sample of a sidecar, in order.
pub fn read_outcomes(sidecar: Vec<u8>) -> Result<Vec<SampleOutcome>, SidecarError> {
    let reader = SerializedFileReader::new(Bytes::from(sidecar))?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    if let Some(missing) = WANTED.into_iter().find(|name| !fields.iter().any(|field| field.name() == *name)) {
        return Err(SidecarError::NoColumn(missing));
    }
    let wanted = fields.iter().filter(|field| WANTED.contains(&field.name())).cloned().collect();
    let projection = Type::group_type_builder(schema.name()).with_fields(wanted).build()?;
    let rows = reader.get_row_iter(Some(projection))?.enumerate();
    rows.map(|(at, row)| outcome(&row?).ok_or(SidecarError::Incomplete(at))).collect()
}

fn outcome(row: &Row) -> Option<SampleOutcome> {
    let text = |wanted: &str| {
        row.get_column_iter().find_map(|(name, field)| match field {
            Field::Str(text) if name == wanted => Some(text.clone()),
            _ => None,
        })
    };
    let class = text("error_class").and_then(|class| FailureClass::parse(&class));
    let failure = class.map(|class| Failure::new(class, text("error_message").unwrap_or_default()));
    Some(SampleOutcome { key: text("key")?, status: text("status")?, failure })
}
