//! What a run of yt-dlp left in its folder.

use std::fs::File;
use std::io;

use serde_json::{Map, Value};

use super::folder::{self, Folder};
use super::said::{self, Told};

/// Bytes of one language's subtitles.
const MAX_SUBTITLES: u64 = 32 << 20;

/// What a run left, opened.
#[derive(Default)]
pub(super) struct Left {
    pub picture: Option<OpenFile>,
    pub sound: Option<OpenFile>,
    pub subtitles: Vec<Language>,
}

/// A file, with its length and its first bytes.
pub(super) struct OpenFile {
    pub file: File,
    pub len: u64,
    pub head: Vec<u8>,
}

/// Subtitles in one language; no text: they did not come.
pub(super) struct Language {
    pub name: String,
    pub text: Option<String>,
}

impl Left {
    /// Opens what a run told of. Blocks.
    ///
    /// # Errors
    /// Those of the scratch folder.
    pub(super) fn open(folder: &Folder, told: &Told) -> io::Result<Self> {
        let mut left = Self::default();
        for described in &told.files {
            let slot = if said::is_sound(described) { &mut left.sound } else { &mut left.picture };
            if slot.is_none() {
                *slot = open(folder, described)?;
            }
        }
        for (name, path) in told.files.last().map(said::subtitles).unwrap_or_default() {
            // Where they were written first, or where they were moved to.
            let moved = format!("subtitles.{name}.vtt");
            let path = path.filter(|path| path.ends_with(".vtt"));
            let file = path.and_then(|path| folder.open(&moved).or_else(|_| folder.open(&path)).ok());
            let text = file.and_then(|(file, _)| folder::text(file, MAX_SUBTITLES).ok());
            left.subtitles.push(Language { name, text });
        }
        Ok(left)
    }
}

/// None: what yt-dlp names is not there, or no file.
fn open(folder: &Folder, described: &Map<String, Value>) -> io::Result<Option<OpenFile>> {
    let Some((file, len)) = said::path(described).and_then(|path| folder.open(path).ok()) else { return Ok(None) };
    let head = folder::head(&file)?;
    Ok(Some(OpenFile { file, len, head }))
}
