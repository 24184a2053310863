//! Which columns of a table are needed, and what they are called in the plan.

use crate::config::{InputFormat, Job};
use crate::sample::{ColumnKind, RESERVED_FIELDS};

use super::SourceError;

/// Which columns to read from a table, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    pub format: InputFormat,
    pub url_col: String,
    pub caption_col: Option<String>,
    pub clip_col: Option<String>,
    /// Further columns, kept under their own names.
    pub additional: Vec<String>,
}

impl From<&Job> for TableSpec {
    fn from(job: &Job) -> Self {
        Self {
            format: job.input_format,
            url_col: job.url_col.clone(),
            caption_col: job.caption_col.clone(),
            clip_col: job.clip_col.clone(),
            additional: job.save_additional_columns.clone(),
        }
    }
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Additional,
    Clips,
    Caption,
    Url,
}

/// One column of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanColumn {
    /// Name in the plan and in the samples' JSON.
    pub name: String,
    /// Name in the table.
    pub source_name: String,
    pub role: Role,
    /// The kind, where the role alone decides it: captions and URLs are text, clips are lists.
    pub fixed: Option<ColumnKind>,
}

/// The plan's columns in their order: additional columns, then `clips`, `caption`, `url`, as far as configured.
pub fn columns(spec: &TableSpec) -> Vec<PlanColumn> {
    let column = |name: &str, source: &str, role, fixed| PlanColumn {
        name: name.to_owned(),
        source_name: source.to_owned(),
        role,
        fixed,
    };
    let mut all: Vec<_> = spec.additional.iter().map(|name| column(name, name, Role::Additional, None)).collect();
    all.extend(spec.clip_col.iter().map(|source| column("clips", source, Role::Clips, Some(ColumnKind::Json))));
    all.extend(
        spec.caption_col.iter().map(|source| column("caption", source, Role::Caption, Some(ColumnKind::String))),
    );
    // A list of URLs has no header: its one column is the URL, whatever `url_col` says.
    let url = if spec.format == InputFormat::Txt { "url" } else { &spec.url_col };
    all.push(column("url", url, Role::Url, Some(ColumnKind::String)));
    all
}

impl TableSpec {
    /// Refuses column choices that no table can satisfy.
    ///
    /// # Errors
    /// [`SourceError::Columns`]: a name that clashes with another field of the samples, or columns of a txt.
    pub fn check(&self) -> Result<(), SourceError> {
        let refuse = |message: String| Err(SourceError::Columns { message });
        if self.format == InputFormat::Txt {
            let wanted = self.caption_col.iter().chain(&self.clip_col).chain(&self.additional).next();
            return match wanted {
                Some(name) => refuse(format!(
                    "a txt input holds URLs only, so there is no column `{name}` to read; use a csv, or drop \
                     `caption_col`, `clip_col` and `save_additional_columns`"
                )),
                None => Ok(()),
            };
        }
        for (index, name) in self.additional.iter().enumerate() {
            if RESERVED_FIELDS.contains(&name.as_str()) {
                return refuse(format!(
                    "`save_additional_columns` names `{name}`, a field that every sample has already; drop it, or \
                     rename the table's column"
                ));
            }
            if self.additional.iter().take(index).any(|earlier| earlier == name) {
                return refuse(format!("`save_additional_columns` names `{name}` twice"));
            }
        }
        Ok(())
    }
}
