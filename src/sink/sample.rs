//! What the sink takes: the outputs of one input row.

use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use crate::sample::{Column, Failure, Payload, Row, Status, Usage};

/// All that one input row became.
#[derive(Debug)]
pub struct Finished {
    /// The row's position within its shard.
    pub index: u32,
    /// Output samples in order. A failed row is one output without members.
    pub outputs: Vec<OutputSample>,
    /// Bytes that came over the network or from local files for it.
    pub bytes_received: u64,
    /// Memory that its metadata takes, given back when it is written.
    pub room: Option<OwnedSemaphorePermit>,
    /// On which processors it was made.
    pub usage: Usage,
}

/// One output sample.
#[derive(Debug)]
pub struct OutputSample {
    /// What becomes its `.json`: input columns, then `key`, `status`, `error_message`, `error_class`, the rest.
    pub meta: Map<String, Value>,
    pub status: Status,
    pub failure: Option<Failure>,
    /// The caption's text for the `.txt` member; `None` where the job has no captions.
    pub text: Option<String>,
    pub members: Vec<Member>,
}

/// One media member.
#[derive(Debug)]
pub struct Member {
    /// Its extension, without dot.
    pub extension: String,
    pub payload: Payload,
}

impl OutputSample {
    /// The sample's key.
    pub fn key(&self) -> &str {
        self.meta.get("key").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Builds output samples of one job: knows the table's columns and whether there are captions.
#[derive(Debug, Clone)]
pub struct SampleFormat {
    columns: Vec<Column>,
}

impl SampleFormat {
    pub fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec() }
    }

    /// A row whose media arrived.
    pub fn success(&self, key: &str, row: &Row, members: Vec<Member>) -> OutputSample {
        self.output(key, row, Status::Success, None, members)
    }

    /// A row that failed.
    pub fn failed(&self, key: &str, row: &Row, status: Status, failure: Failure) -> OutputSample {
        self.output(key, row, status, Some(failure), Vec::new())
    }

    fn output(
        &self,
        key: &str,
        row: &Row,
        status: Status,
        failure: Option<Failure>,
        members: Vec<Member>,
    ) -> OutputSample {
        let mut meta = Map::new();
        for (column, cell) in self.columns.iter().zip(&row.cells) {
            meta.insert(column.name.clone(), cell.clone());
        }
        let text = meta.get("caption").map(|caption| caption.as_str().unwrap_or_default().to_owned());
        meta.insert("key".into(), key.into());
        meta.insert("status".into(), status.as_str().into());
        meta.insert("error_message".into(), failure.as_ref().map(|f| f.message.clone()).into());
        meta.insert("error_class".into(), failure.as_ref().map(|f| f.class.to_string()).into());
        meta.insert("yt_meta_dict".into(), Value::Null);
        OutputSample { meta, status, failure, text, members }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::{ColumnKind, FailureClass};

    #[test]
    fn fields_stand_in_video2datasets_order() {
        let column = |name: &str| Column { name: name.into(), kind: ColumnKind::String };
        let format = SampleFormat::new(&[column("videoid"), column("caption"), column("url")]);
        let row = Row { index: 2, cells: vec![json!(7), json!("a cat"), json!("http://x/a.mp4")], problem: None };
        let failure = Failure::new(FailureClass::Http(404), "HTTP 404 Not Found");
        let sample = format.failed("0000702", &row, Status::FailedToDownload, failure);
        let names: Vec<&str> = sample.meta.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["videoid", "caption", "url", "key", "status", "error_message", "error_class", "yt_meta_dict"]
        );
        let own = &names[1..];
        assert!(own.iter().all(|name| crate::sample::RESERVED_FIELDS.contains(name)), "{own:?}");
        assert_eq!(sample.text.as_deref(), Some("a cat"));
        assert_eq!(sample.meta["error_class"], "http_404");
        assert_eq!(sample.key(), "0000702");
    }
}
