//! The files in the folder of recordings: a list as JSON, newest first, and each file by its name.
//! A thread of its own waits for the disk.

use std::path::Path;
use std::time::UNIX_EPOCH;

use axum::extract::{Path as Named, Request};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::said;
use crate::recording::{folder, is_name};

/// The most files in the list.
const MOST: usize = 200;
/// The endings of the names of recordings.
const ENDINGS: [&str; 2] = ["wav", "mid"];

/// The list: `name`, `bytes` and `modified_s` (seconds since 1970) of each WAV file, and `midi`,
/// the name of the notes beside it.
pub(super) async fn list() -> Response {
    let read = tokio::task::spawn_blocking(|| folder().map(|folder| files(&folder)));
    let list = Json::from(read.await.ok().flatten().unwrap_or_default());
    ([(CONTENT_TYPE, "application/json")], list.to_string()).into_response()
}

fn files(folder: &Path) -> Vec<Json> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<(u64, Json)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let stem = name.strip_suffix(".wav")?;
            let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let modified = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
            let midi = format!("{stem}.mid");
            let midi = folder.join(&midi).is_file().then_some(midi);
            let file =
                json!({"name": name, "bytes": about.len(), "modified_s": modified, "midi": midi});
            Some((modified, file))
        })
        .collect();
    all.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
    all.into_iter().take(MOST).map(|(_, file)| file).collect()
}

/// Answers with one file.
pub(super) async fn file(Named(name): Named<String>, request: Request) -> Response {
    let nothing = || said(StatusCode::NOT_FOUND, "there is no such recording");
    let ending = Path::new(&name).extension().and_then(|ending| ending.to_str());
    let is_recording = is_name(&name) && ending.is_some_and(|ending| ENDINGS.contains(&ending));
    let Some(folder) = folder().filter(|_| is_recording) else { return nothing() };
    let Ok(answer) = ServeFile::new(folder.join(&name)).oneshot(request).await;
    if answer.status() == StatusCode::NOT_FOUND {
        return nothing();
    }
    let mut answer = answer.into_response();
    answer.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    answer
}
